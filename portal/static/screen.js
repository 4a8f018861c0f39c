// One picture of the playback page: which channel it shows, and what it says where there is nothing to show.

import { permission } from "./asking.js";
import { Archive } from "./archive.js";
import { Follower } from "./follower.js";
import { gapAt, gapText, owes } from "./gaps.js";
import { clockText, dayText, momentText } from "./moments.js";

const PATIENCE = 400; // milliseconds before a person hears that something is being fetched
const FRESH = 10000; // before what is recorded is asked for again
const BUSY = 2000; // the same while something is fetched into a gap
const OTHERWISE = { what: "The recording was refused.", remedy: "It is tried again by itself." };
const screens = new WeakMap();

/** The picture that an element is part of. */
export const screenOf = (inside) => screens.get(inside.closest(".cell"));

export class Screen {
  /** `options`: an option for each channel, by its id; `address` and `csrf` ask for permission. */
  constructor(cell, options, address, csrf) {
    Object.assign(this, { cell, options, address, csrf, intervals: [], gaps: [], told: null });
    screens.set(cell, this);
    this.set(this.part("channel").dataset.chosen);
  }

  part(name) {
    return this.cell.querySelector(`[data-part="${name}"]`);
  }

  get name() {
    return this.options.get(this.channel)?.dataset.name ?? "";
  }

  /** Show another channel, "" for none. */
  set(channel) {
    this.close();
    this.channel = this.options.has(channel) ? channel : "";
    Object.assign(this, { intervals: [], gaps: [], told: null, trouble: null, changed: performance.now() });
    this.offer();
    this.fresh();
    this.part("name").textContent = this.name;
    this.part("idle").hidden = Boolean(this.channel);
    this.say("");
    if (!this.channel) return;
    const permit = () => permission(this.address.replace("CHANNEL", encodeURIComponent(channel)), this.csrf, OTHERWISE);
    this.archive = new Archive(this.part("video"), permit, (trouble) => (this.trouble = trouble));
    this.follower = new Follower(this.part("video"));
  }

  /** Have the chosen channel in the list; all of them only when somebody is about to use it. */
  offer(all = false) {
    const list = this.part("channel");
    const shown = all ? [...this.options.keys()] : [...new Set(["", this.channel])];
    if (!this.full) list.replaceChildren(...shown.map((channel) => this.options.get(channel).cloneNode(true)));
    this.full ||= all;
    list.value = this.channel;
  }

  /** A new element, because a source and its errors belong to the old one. */
  fresh() {
    const old = this.part("video");
    const video = old.cloneNode(false);
    for (const name of Object.keys(video.dataset)) if (name !== "part") delete video.dataset[name];
    video.removeAttribute("src");
    video.dataset.channel = this.channel;
    old.replaceWith(video);
  }

  close() {
    this.archive?.close();
    this.archive = this.follower = null;
  }

  /** A person asked for another moment. */
  jump() {
    this.archive?.jump();
    this.follower?.click();
  }

  // --- following --------------------------------------------------------------------------------------

  /** Show a moment of a `stream`; `keys`: key frames alone, where every picture would be too many; `loud`: with its
   *  sound. */
  tick(moment, head, keys, loud, stream) {
    if (!this.archive) return;
    this.part("video").muted = !loud || head.speed !== 1;
    this.archive.provide(moment, Math.max(1, head.speed), keys, loud, stream);
    const found = this.archive.at(moment);
    this.follower.follow(this.archive.place(moment), head);
    this.show(found, moment);
  }

  show(found, moment) {
    const now = performance.now();
    if (found.kind !== "loading") this.changed = now;
    const kind = found.kind === "loading" && now - this.changed < PATIENCE ? this.told : found.kind;
    const { dataset } = this.part("video");
    Object.assign(dataset, { state: found.kind, at: String(Math.round(moment)), stream: this.archive.shown ?? "" });
    dataset.frames = String(this.part("video").getVideoPlaybackQuality?.().totalVideoFrames ?? 0);
    if (kind === null) return;
    this.told = kind;
    this.cell.toggleAttribute("data-vacant", kind === "gap" || kind === "end");
    const { what, why, remedy } = kind === "picture" ? {} : this.trouble ?? words(kind, found.until, moment, this.gapAt(moment));
    this.say(what ?? "", [why, remedy].filter(Boolean).join(" "));
  }

  say(what, more = "") {
    const box = this.part("message");
    const text = `${what}\n${more}`;
    box.hidden = !what;
    if (box.dataset.text === text) return;
    box.dataset.text = text;
    const title = document.createElement("b");
    title.textContent = what;
    const rest = document.createElement("span");
    rest.textContent = more;
    box.replaceChildren(title, rest);
  }

  // --- searching --------------------------------------------------------------------------------------

  /** Learn what of a span is recorded; true if that is news. */
  async search(from, to) {
    const { archive, seen } = this;
    if (!archive) return false;
    if (seen?.archive === archive && seen.from <= from && seen.to >= to && performance.now() - seen.at < (this.owes ? BUSY : FRESH)) return false;
    const found = await archive.recording.ask({ do: "timeline", from, to });
    if (!found || archive !== this.archive) return false;
    this.seen = { archive, from, to, at: performance.now() };
    this.intervals = found.intervals;
    this.gaps = found.gaps ?? []; // an earlier release does not know
    return true;
  }

  /** What is known of a moment of which nothing is recorded. */
  gapAt(moment) {
    return gapAt(this.gaps, moment);
  }

  /** Whether something is fetched into what is shown of it. */
  get owes() {
    return this.gaps.some(owes);
  }

  /** A small picture of a moment, {at, jpeg}; null while there is none. */
  glance(at) {
    return this.archive?.recording.ask({ do: "thumbnail", at, stream: "sub" }) ?? null;
  }
}

function words(kind, until, moment, gap) {
  if (kind === "loading") return { what: "Loading …" };
  if (kind === "end") return { what: "Nothing recorded from here on" };
  const remedy = gap && gapText(gap);
  if (!until) return { what: "Nothing recorded", remedy };
  const text = dayText(until) === dayText(moment) ? clockText(until) : momentText(until);
  return { what: "Nothing recorded", why: `until ${text}${remedy ? "." : ""}`, remedy };
}
