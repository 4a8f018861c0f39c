// One live picture: fragments of MP4 from a WebSocket into Media Source Extensions, kept close to now.
// The server speaks first: a text message with the type, then the initialisation segment, then one fragment
// per frame, and a note in between while there is no picture, or no sound for who asked for it. Figures for
// people and tests stand as data attributes on the <video> element.

import { play } from "./playing.js";

const NEAR = 0.08; // seconds between the picture shown and the newest one that are enough while all goes well
const NEAR_ALONE = 0.35; // the same for sound without a picture, which comes in pieces of a fifth of a second
const FAR = 0.8; // as many as it takes at most where pictures come unevenly
const BACK = 0.08; // more of them with each stop for want of pictures
const ON = 0.005; // fewer of them with each second without
const LAG_FAST = 0.06; // more than enough by so much: play a little faster until it is just enough
const LAG_JUMP = 4; // hopeless: jump to the edge
const CATCH_UP = 1.05;
const KEEP_BEHIND = 8; // seconds of past pictures kept in the buffer
const QUEUE_BYTES = 24 * 1024 * 1024; // more unplayed data than this means the browser cannot follow
const MEASURE = 250; // milliseconds
const SILENCE = 6000; // milliseconds without data before the connection is made anew
const RETRY = [500, 1000, 2000, 4000];

const Source = window.ManagedMediaSource ?? window.MediaSource;
const LIST_TYPE = "application/vnd.apple.mpegurl";

const CODECS = [
  [/hvc1|hev1/, "H.265"],
  [/avc1|avc3/, "H.264"],
  [/av01/, "AV1"],
];
const codecName = (mime) => CODECS.find(([pattern]) => pattern.test(mime))?.[1] ?? mime;

function joined(parts) {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(new Uint8Array(part), at);
    at += part.byteLength;
  }
  return all;
}

/** Shows one stream in `video`.
 *  `ask()` resolves to {ws, token} or throws {what, why, remedy, final};
 *  `tell(state, problem)` hears connecting, playing, waiting, unsupported, refused, stopped, and mute where
 *  `loud` asks for sound that cannot be had. */
export class Player {
  constructor(video, ask, tell, loud = false) {
    Object.assign(this, { video, ask, tell, loud, tries: 0, closed: false, reconnects: 0, before: 0, droppedBefore: 0 });
    this.clicked = performance.now();
    this.fresh = true;
    this.near = this.least = NEAR;
    video.addEventListener("waiting", this.onStop);
    video.addEventListener("error", this.onVideoError);
    this.timer = setInterval(() => this.measure(), MEASURE);
    this.connect();
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    clearTimeout(this.again);
    this.video.removeEventListener("error", this.onVideoError);
    this.video.removeEventListener("waiting", this.onStop);
    this.drop();
    this.say("stopped");
  }

  say(state, problem) {
    this.video.dataset.state = state;
    this.tell(state, problem);
  }

  // --- connection -------------------------------------------------------------------------------------

  async connect() {
    this.say(this.fresh ? "connecting" : "waiting");
    let answer;
    try {
      answer = await this.ask();
    } catch (problem) {
      if (this.closed) return;
      if (problem.final) return this.give("refused", problem);
      return this.retry(problem);
    }
    if (!this.closed) this.listen(answer);
  }

  listen({ ws, token, hls }) {
    if (!Source && hls && this.video.canPlayType(LIST_TYPE)) return this.openList(hls);
    const url = new URL(ws, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (!url.searchParams.has("token")) url.searchParams.set("token", token);
    if (this.loud) url.searchParams.set("audio", "1");
    const socket = (this.socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    this.heard = performance.now();
    this.pictured ??= this.heard;
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return;
      this.heard = performance.now();
      if (typeof data === "string") this.onText(JSON.parse(data));
      else {
        this.pictured = this.heard;
        this.onBytes(data);
      }
    };
    socket.onclose = () => socket === this.socket && this.retry();
  }

  /** Where Media Source is missing (iPhones): the element plays HLS by itself. */
  openList(path) {
    const url = new URL(path, location.href);
    if (this.loud) url.searchParams.set("audio", "1");
    this.listed = true;
    this.video.src = url.href;
    this.awaitFrame();
    play(this.video);
  }

  onText(message) {
    if (message.type === "init") {
      this.video.dataset.sound = message.sound ?? "";
      this.begin(message.mime);
    } else if (message.about === "sound") this.tell("mute", message);
    else if (message.type === "note") {
      this.noted = true;
      this.say("waiting", message);
    }
  }

  /** The stream is gone for now: ask again later, with a new token. */
  retry(problem) {
    if (this.closed) return;
    this.drop();
    this.fresh = false;
    this.say("waiting", problem);
    this.reconnects += 1;
    const wait = RETRY[Math.min(this.tries++, RETRY.length - 1)];
    clearTimeout(this.again);
    this.again = setTimeout(() => this.connect(), wait);
  }

  /** It can never work: say why and stop asking. */
  give(state, problem) {
    this.drop();
    this.closed = true;
    clearInterval(this.timer);
    this.say(state, problem);
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.keepCounts();
    this.buffer = null;
    this.source = null;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    if (!this.listed) return;
    this.listed = false;
    this.video.removeAttribute("src");
    this.video.load();
  }

  // --- media ------------------------------------------------------------------------------------------

  begin(mime) {
    this.video.dataset.mime = mime;
    this.hears(mime.startsWith("audio/"));
    if (!Source) return this.give("unsupported", noMedia());
    if (this.loud && !Source.isTypeSupported(mime) && Source.isTypeSupported(silentType(mime))) return this.hush(mime);
    if (!Source.isTypeSupported(mime)) return this.give("unsupported", noCodec(mime));
    this.keepCounts();
    this.queue = [];
    this.queued = 0;
    this.placed = false;
    this.buffer = null;
    const source = (this.source = new Source());
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(source);
    this.video.disableRemotePlayback = true; // ManagedMediaSource asks for it
    this.video.src = this.url;
    source.addEventListener("sourceopen", () => source === this.source && this.openBuffer(mime), { once: true });
    this.awaitFrame();
  }

  /** Whether the camera sends sound alone: there is no frame to wait for then. */
  hears(alone) {
    this.alone = alone;
    this.least = alone ? NEAR_ALONE : NEAR;
    this.near = Math.max(this.near, this.least);
    this.video.dataset.alone = alone ? "yes" : "";
  }

  /** Pictures without their sound, because that is all that this browser decodes. */
  hush(mime) {
    this.loud = false;
    this.tell("mute", noSound(mime));
    this.retry();
  }

  openBuffer(mime) {
    const buffer = (this.buffer = this.source.addSourceBuffer(mime));
    buffer.addEventListener("updateend", () => buffer === this.buffer && this.onAppended());
    this.feed();
  }

  onBytes(data) {
    if (!this.source) return;
    if (this.noted) {
      this.noted = false;
      this.awaitFrame();
    }
    this.queue.push(data);
    this.queued += data.byteLength;
    if (this.queued > QUEUE_BYTES) return this.retry(tooSlow());
    this.feed();
  }

  feed() {
    if (!this.buffer || this.buffer.updating || !this.queue.length) return;
    const data = joined(this.queue);
    this.queue = [];
    this.queued = 0;
    try {
      this.buffer.appendBuffer(data);
    } catch (error) {
      if (error.name !== "QuotaExceededError") return this.retry();
      this.queue.unshift(data);
      this.queued = data.byteLength;
      this.trim(1);
    }
  }

  onAppended() {
    this.stayNear();
    if (this.buffer && !this.buffer.updating) this.trim(KEEP_BEHIND);
    this.feed();
  }

  trim(keep) {
    const ranges = this.buffer.buffered;
    const until = this.video.currentTime - keep;
    const room = keep === KEEP_BEHIND ? KEEP_BEHIND : 0; // not one removal per frame
    if (ranges.length && until - ranges.start(0) > room) this.buffer.remove(0, until);
  }

  /** Seconds between the picture shown and the newest one here. */
  lag() {
    const ranges = this.video.buffered;
    return ranges.length ? ranges.end(ranges.length - 1) - this.video.currentTime : 0;
  }

  stayNear() {
    const ranges = this.video.buffered;
    if (!ranges.length) return;
    const start = ranges.start(ranges.length - 1);
    const end = ranges.end(ranges.length - 1);
    const lag = end - this.video.currentTime;
    if (!this.placed || lag > LAG_JUMP || this.video.currentTime < start) {
      this.placed = true;
      this.video.currentTime = Math.max(start, end - this.near);
      play(this.video);
    } else if (lag > this.near + LAG_FAST) this.video.playbackRate = CATCH_UP;
    else if (lag < this.near) this.video.playbackRate = 1;
  }

  awaitFrame() {
    const shown = () => {
      this.tries = 0;
      this.video.dataset.firstFrameMs ??= String(Math.round(performance.now() - this.clicked));
      this.say("playing");
    };
    if (this.alone) this.video.addEventListener("timeupdate", shown, { once: true });
    else if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(shown);
    else this.video.addEventListener("playing", shown, { once: true });
  }

  /** Pictures came later than they were to be shown: from now on they are shown later. */
  onStop = () => {
    if (this.placed && this.video.dataset.state === "playing") this.near = Math.min(FAR, this.near + BACK);
  };

  onVideoError = () => {
    if (this.source || this.listed) this.retry();
  };

  // --- figures ----------------------------------------------------------------------------------------

  /** Frame counts start at zero with each new source; the sum goes on. */
  keepCounts() {
    const quality = this.source || this.listed ? this.video.getVideoPlaybackQuality?.() : null;
    this.before += quality?.totalVideoFrames ?? 0;
    this.droppedBefore += quality?.droppedVideoFrames ?? 0;
    this.source = null;
  }

  measure() {
    const quality = this.source || this.listed ? this.video.getVideoPlaybackQuality?.() : null;
    const now = performance.now();
    this.near = Math.max(this.least, this.near - (ON * MEASURE) / 1000);
    Object.assign(this.video.dataset, {
      frames: this.before + (quality?.totalVideoFrames ?? 0),
      dropped: this.droppedBefore + (quality?.droppedVideoFrames ?? 0),
      lag: this.lag().toFixed(2),
      ageMs: Math.round(now - (this.pictured ?? now)),
      reconnects: this.reconnects,
    });
    if (this.socket && now - this.heard > SILENCE) this.retry(silent());
    else if (this.source && this.lag() > LAG_JUMP) this.stayNear();
  }
}

const silentType = (mime) => mime.replace(/,[^,"]*"$/, '"');
const noSound = (mime) => ({
  what: "This picture has no sound here.",
  why: `This browser cannot decode ${mime}.`,
  remedy: "Use a browser with that decoder.",
});
const noMedia = () => ({
  what: "This browser cannot show live pictures.",
  why: "It has no Media Source Extensions.",
  remedy: "Use a current Chromium, Edge, Firefox or Safari.",
});
const noCodec = (mime) => ({
  what: `This browser cannot decode ${codecName(mime)}.`,
  why: `The camera sends ${mime}.`,
  remedy: "Choose the other stream, set the camera to H.264, use a browser with that decoder, or have it converted.",
  convertible: true,
});
const tooSlow = () => ({
  what: "This computer cannot keep up.",
  why: "Pictures arrive faster than the browser decodes them.",
  remedy: "Show fewer cameras, or choose their sub streams.",
});
const silent = () => ({
  what: "No data from the camera.",
  why: "The connection is open, but nothing arrives.",
  remedy: "It is opened again by itself.",
});
