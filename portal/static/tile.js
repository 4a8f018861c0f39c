// One place of the wall: which camera and stream it shows, whether anybody can see it, and what it says of itself.

import { permission } from "./asking.js";
import { Direct } from "./direct.js";
import { Player } from "./player.js";
import { turn } from "./turns.js";

const LARGE = 640; // screen points across; a sub stream has about as many, and above would be blown up
const BAND = 1.1; // a tile at the border does not go to and fro
const SETTLE = 400; // milliseconds a tile keeps its size before its stream follows
const GRACE = 10000; // milliseconds out of sight before its stream is closed

const WORDS = { connecting: "Connecting …", waiting: "Connecting again …", stopped: "", playing: "" };
const LOOKS = { playing: "ok", connecting: "busy", waiting: "bad", refused: "bad", unsupported: "bad" };
const OTHERWISE = { what: "The picture was refused.", remedy: "It is tried again by itself." };
const LOWEST = "Lowest delay (WebRTC)";
const SOUND = "Sound";
const CONVERTED = "converted"; // the stream that the server makes for browsers that cannot decode the camera's
const RATE_SPAN = 3000; // milliseconds over which its pictures are counted
const tiles = new WeakMap();

/** The tile that an element is part of. */
export const tileOf = (inside) => tiles.get(inside.closest(".cell"));

export class Tile {
  /** `options`: an option for each camera, by its channel; `say(text)` reaches screen readers. */
  constructor(cell, options, say) {
    Object.assign(this, { cell, options, say, shown: "", asleep: true, large: false, loud: false, fast: false, state: "stopped" });
    tiles.set(cell, this);
    this.offer(this.part("channel").dataset.chosen);
    this.judge(cell.clientWidth);
    this.refresh();
  }

  part(name) {
    return this.cell.querySelector(`[data-part="${name}"]`);
  }

  get channel() {
    return this.part("channel").value;
  }

  get choice() {
    return this.part("stream").value;
  }

  get name() {
    return this.part("channel").selectedOptions[0]?.dataset.name ?? "";
  }

  /** Have this camera in the list, chosen; one that is not known is none. */
  offer(channel) {
    const list = this.part("channel");
    const known = this.options.has(channel) ? channel : "";
    if (!this.full) list.replaceChildren(...this.copies(new Set(["", known])));
    list.value = known;
  }

  /** Offer all cameras; only for a list that somebody is about to use, because 36 long ones take seconds. */
  fill() {
    if (this.full) return;
    const { channel } = this;
    this.full = true;
    this.part("channel").replaceChildren(...this.copies(this.options.keys()));
    this.part("channel").value = channel;
  }

  copies(channels) {
    return [...channels].map((channel) => this.options.get(channel).cloneNode(true));
  }

  /** Show a camera, "" for none; `choice` is auto, main, sub or converted. */
  set(channel, choice = "auto") {
    this.offer(channel);
    this.part("stream").value = choice;
    this.refresh();
  }

  /** The stream that fits: a person's own choice, else by the size of the tile. */
  stream() {
    if (this.choice !== "auto") return this.choice;
    const has = this.part("channel").selectedOptions[0]?.dataset.streams ?? "";
    return this.large || !has.split(",").includes("sub") ? "main" : "sub";
  }

  // --- size and sight ---------------------------------------------------------------------------------

  resized(width) {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.judge(width);
      this.refresh();
    }, SETTLE);
  }

  judge(width) {
    if (width) this.large = width * devicePixelRatio > LARGE * (this.large ? 1 : BAND);
  }

  look(seen) {
    clearTimeout(this.nap);
    if (seen) this.sleep(false);
    else this.nap = setTimeout(() => this.sleep(true), GRACE);
  }

  sleep(yes) {
    this.asleep = yes;
    this.refresh();
  }

  // --- playing ----------------------------------------------------------------------------------------

  /** Start, change or stop the stream, if what should be shown is not what is shown. */
  refresh() {
    const wished = this.channel && !this.asleep ? `${this.channel}/${this.stream()}` : "";
    this.part("name").textContent = this.name;
    this.part("idle").hidden = Boolean(this.channel);
    if (wished === this.shown && this.part("video").dataset.channel === this.channel) return;
    this.shown = wished;
    this.start(this.stream());
  }

  start(stream) {
    const { channel } = this;
    if (this.part("video").dataset.channel !== channel) this.change();
    const video = this.fresh(channel);
    const mine = (this.mine = {});
    this.close();
    this.part("video").replaceWith(video);
    this.part("which").textContent = this.shown ? stream : "";
    this.show("stopped");
    if (!this.shown) {
      video.dataset.state = "stopped";
      return;
    }
    video.dataset.stream = stream;
    const wanted = () => this.mine === mine;
    const tell = (state, problem) => {
      if (!wanted()) return;
      if (state === "fallback") this.slow(problem);
      else state === "mute" ? this.mute(problem) : this.show(state, problem);
    };
    video.dataset.way = this.fast ? "webrtc" : "websocket";
    this.player = new (this.fast ? Direct : Player)(video, () => this.ask(channel, stream, wanted), tell, this.loud);
  }

  /** What was chosen or said for the camera before does not hold for this one; `camera` tells those who reach to it. */
  change() {
    this.loud = false;
    this.part("fast").title = LOWEST;
    this.part("sound").title = SOUND;
    this.cell.dispatchEvent(new Event("camera", { bubbles: true }));
  }

  /** A new element, because counts and errors of the last stream end with theirs. */
  fresh(channel) {
    const old = this.part("video");
    const video = old.cloneNode(false);
    for (const name of Object.keys(video.dataset)) if (name !== "part") delete video.dataset[name];
    video.removeAttribute("src");
    video.muted = !this.loud;
    const still = channel && old.dataset.channel === channel ? this.picture(0.8)?.toDataURL("image/jpeg") : null;
    if (still) video.poster = still;
    else if (old.dataset.channel !== channel) video.removeAttribute("poster");
    video.dataset.channel = channel;
    return video;
  }

  async ask(channel, stream, wanted) {
    const end = await turn(wanted);
    if (!end) throw { what: "" };
    this.end?.();
    this.end = end;
    const { open, csrf } = this.cell.parentElement.dataset;
    return permission(`${open.replace("CHANNEL", encodeURIComponent(channel))}?stream=${stream}`, csrf, OTHERWISE);
  }

  close() {
    this.player?.close();
    this.player = null;
    this.end?.();
  }

  /** Moving an element may stop it. */
  goOn() {
    if (this.player && (this.part("video").src || this.part("video").srcObject)) this.part("video").play().catch(() => {});
  }

  // --- what it says -----------------------------------------------------------------------------------

  show(state, problem) {
    if (state !== "connecting") this.end?.();
    if (problem?.what && this.state === "playing") this.say(`${this.name}: ${problem.what}`);
    this.state = state;
    const box = this.part("message");
    const title = document.createElement("b");
    title.textContent = problem?.what ?? WORDS[state] ?? "";
    const rest = document.createElement("span");
    rest.textContent = [problem?.why, problem?.remedy].filter(Boolean).join(" ");
    box.replaceChildren(title, rest, ...(problem?.convertible ? [this.conversion()] : []));
    box.hidden = state === "playing" || (state === "stopped" && !problem);
    const alone = Boolean(this.part("video").dataset.alone);
    this.part("alone").hidden = !alone || state !== "playing";
    this.part("snapshot").disabled = alone || !["playing", "unsupported"].includes(state);
    const button = this.part("sound");
    button.hidden = !this.channel || this.part("video").dataset.sound === "";
    button.disabled = state !== "playing";
    button.setAttribute("aria-pressed", this.loud);
    this.part("fast").hidden = !this.channel || alone;
    this.part("fast").setAttribute("aria-pressed", this.fast);
    this.tell();
  }

  /** The button that has the pictures converted; the choice is one of the tile's streams, so that it is kept with it. */
  conversion() {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "btn", textContent: "Show a converted picture" });
    button.addEventListener("click", () => {
      this.part("stream").value = CONVERTED;
      this.part("stream").dispatchEvent(new Event("change", { bubbles: true }));
    });
    return button;
  }

  /** What a converted picture says of itself: it has fewer pictures than the camera sends. */
  rate() {
    const { stream, frames = "0" } = this.part("video").dataset;
    const now = performance.now();
    const since = this.counted;
    if (stream !== CONVERTED || since?.video !== this.part("video")) {
      this.counted = { video: this.part("video"), frames, now };
      return;
    }
    if (now - since.now < RATE_SPAN || this.state !== "playing") return;
    const each = Math.round(((frames - since.frames) * 1000) / (now - since.now));
    this.part("which").textContent = `converted, about ${each} pictures a second`;
    this.counted = { video: since.video, frames, now };
  }

  /** With sound, or without; a stream has it only for who asks. */
  listen() {
    this.loud = !this.loud;
    this.start(this.stream());
  }

  /** With the lowest delay, or with a picture that comes in every way. */
  hasten() {
    this.fast = !this.fast;
    this.part("fast").title = LOWEST;
    this.start(this.stream());
  }

  /** The lowest delay cannot be had: the picture comes in the other way, and says so. */
  slow(problem) {
    this.fast = false;
    this.part("fast").title = [problem.what, problem.why, problem.remedy].filter(Boolean).join(" ");
    this.say(`${this.name}: ${this.part("fast").title} It is shown with the usual delay.`);
    this.start(this.stream());
  }

  /** Sound was asked for and cannot be had: the picture goes on, and says why it is silent. */
  mute(problem) {
    this.loud = this.player.loud = false;
    this.part("video").muted = true;
    this.part("video").dataset.mute = problem.why;
    this.part("sound").title = `${problem.what} ${problem.why} ${problem.remedy}`;
    this.say(`${this.name}: ${this.part("sound").title}`);
  }

  tell() {
    this.rate();
    const [state, look] = this.channel ? this.age() : ["", ""];
    const text = state && this.part("video").dataset.mute ? `${state}, no sound` : state;
    const part = this.part("age");
    if (part.textContent !== text) part.textContent = text;
    if (part.dataset.look !== look) part.dataset.look = look;
  }

  /** The state in a few words with its colour; how old the last frame is where it is not now. */
  age() {
    const { frames, ageMs, alone } = this.part("video").dataset;
    const age = Number(ageMs ?? 0) / 1000;
    if (this.state === "stopped") return ["paused", "idle"];
    if (this.state === "playing" && age < 2) return ["live", "ok"];
    const old = `last ${alone ? "sound" : "frame"} ${age < 100 ? `${age.toFixed(0)} s` : `${(age / 60).toFixed(0)} min`} ago`;
    if (this.state === "playing") return [old, "warn"];
    if (this.state === "waiting" && (frames > 0 || alone)) return [old, "bad"];
    return [this.state === "connecting" ? "connecting" : "no picture", LOOKS[this.state] ?? "idle"];
  }

  /** The picture as it stands, on a canvas; null while there is none. */
  picture(scale = 1) {
    const video = this.part("video");
    if (!video.videoWidth) return null;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth * scale;
    canvas.height = video.videoHeight * scale;
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  /** Download the picture in the camera's full size: as it stands, or as the server has it. */
  async snapshot() {
    const { name } = this;
    const [blob, time] = await this.saved();
    if (!blob) return this.say(`The picture of ${name} could not be saved.`);
    const link = document.createElement("a");
    link.download = `${name} ${time.slice(0, 19).replaceAll(":", "-")}.jpg`;
    link.href = URL.createObjectURL(blob);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    this.say(`The picture of ${name} is saved.`);
  }

  /** A picture and its time. A sub stream is smaller than what the camera has, and H.265 may not be decoded here. */
  async saved() {
    const now = new Date().toISOString();
    const canvas = this.picture();
    const whole = canvas && this.part("video").dataset.stream === "main";
    const kept = canvas && new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    return (!whole && (await this.fetched().catch(() => null))) || [await kept, now];
  }

  async fetched() {
    const { snapshot, csrf } = this.cell.parentElement.dataset;
    const address = snapshot.replace("CHANNEL", encodeURIComponent(this.channel));
    const answer = await fetch((await permission(address, csrf, OTHERWISE)).path);
    return answer.ok ? [await answer.blob(), answer.headers.get("X-Picture-Time")] : null;
  }
}
