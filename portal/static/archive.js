// A recording in a <video> element: GOPs from a WebSocket into Media Source Extensions, asked for one by one.
// The time axis of the element is seconds since `origin` (milliseconds since 1970), so that a place in it is a
// place in the day. Figures for people and tests stand as data attributes on the element.

const AHEAD = 12; // seconds that are fetched beyond the picture shown
const BEHIND = 40; // seconds that are kept
const AGAIN = 1000; // milliseconds before the newest end is asked for again
const STEP = 1 / 25;
const Source = window.ManagedMediaSource ?? window.MediaSource;

/** `ask()` resolves to {ws} or throws {what, why, remedy}; `tell(event, data)` hears timeline, time, state, problem. */
export class Archive {
  constructor(video, origin, ask, tell) {
    Object.assign(this, { video, origin, ask, tell, id: 0, queue: [], awaiting: false, target: null, spans: {} });
    video.addEventListener("timeupdate", () => this.look());
    this.timer = setInterval(() => this.look(), 200);
  }

  get now() {
    return this.target ?? this.origin + this.video.currentTime * 1000;
  }

  close() {
    clearInterval(this.timer);
    this.socket?.close();
  }

  // --- connection -------------------------------------------------------------------------------------

  async open() {
    const answer = await this.ask();
    const url = new URL(answer.ws, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(url));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => socket === this.socket && this.hear(data);
    await new Promise((done, failed) => {
      socket.onopen = done;
      socket.onerror = () => failed({ what: "The recording cannot be reached.", why: "", remedy: "Try again." });
    });
    socket.onclose = () => {
      if (socket === this.socket) this.socket = null;
    };
  }

  async send(request) {
    try {
      if (!this.socket) await (this.opening ??= this.open().finally(() => (this.opening = null)));
      this.socket?.send(JSON.stringify({ id: this.id, ...request }));
    } catch (problem) {
      this.awaiting = false;
      this.tell("problem", problem);
    }
  }

  timeline(from, to) {
    return this.send({ do: "timeline", from, to });
  }

  hear(data) {
    if (typeof data !== "string") return this.take(data);
    const message = JSON.parse(data);
    if (message.type === "timeline") return this.tell("timeline", message);
    if (message.type === "problem") return this.tell("problem", message);
    this.next = message.id === this.id ? message : null;
    if (!this.next) return;
    if (message.type === "end") {
      this.ended = performance.now();
      this.awaiting = false;
      if (this.target !== null) this.tell("problem", { what: "Nothing is recorded from here on.", why: "", remedy: "" });
    }
  }

  take(data) {
    const about = this.next;
    if (!about) return;
    if (about.type === "init") this.queue.push({ mime: about.mime, data });
    else {
      this.awaiting = false;
      if (this.target !== null && !this.landing) this.landing = Math.max(this.target, about.at);
      this.queue.push({ data });
    }
    this.feed();
  }

  // --- playing ----------------------------------------------------------------------------------------

  /** Show the picture of a moment (milliseconds since 1970), or the first one after it. */
  async seek(moment) {
    this.clicked = performance.now();
    delete this.video.dataset.seekMs;
    const place = (moment - this.origin) / 1000;
    if (this.buffer && this.target === null && this.has(place)) {
      this.video.currentTime = place;
      return this.shown();
    }
    this.id += 1;
    Object.assign(this, { target: moment, landing: null, queue: [], next: null, awaiting: true, ended: 0 });
    this.wipe = Boolean(this.buffer);
    this.tell("problem", null);
    await this.send({ do: "play", at: Math.round(moment), origin: this.origin });
  }

  has(place) {
    const ranges = this.video.buffered;
    for (let i = 0; i < ranges.length; i += 1) if (ranges.start(i) <= place && place < ranges.end(i)) return true;
    return false;
  }

  feed() {
    if (this.buffer?.updating || !this.queue.length) return;
    if (this.queue[0].mime && !this.buffer) return this.begin(this.queue[0].mime);
    if (!this.buffer) return;
    if (this.wipe) {
      this.wipe = false;
      this.buffer.abort();
      return this.buffer.remove(0, Infinity);
    }
    const part = this.queue.shift();
    if (part.mime) this.buffer.changeType(part.mime);
    try {
      this.buffer.appendBuffer(part.data);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      this.queue.unshift(part);
      this.buffer.remove(0, Math.max(0.1, this.video.currentTime - 2));
    }
  }

  begin(mime) {
    if (this.source) return;
    if (!Source?.isTypeSupported(mime)) {
      return this.tell("problem", { what: "This browser cannot show it.", why: mime, remedy: "Download a clip." });
    }
    const source = (this.source = new Source());
    this.video.disableRemotePlayback = true;
    this.video.src = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => {
      this.buffer = source.addSourceBuffer(mime);
      this.buffer.addEventListener("updateend", () => this.appended());
      this.feed();
    }, { once: true });
  }

  appended() {
    if (this.landing && !this.wipe) {
      const place = (this.landing - this.origin) / 1000 + 0.001;
      if (this.has(place) || this.video.buffered.length) {
        const ranges = this.video.buffered;
        this.video.currentTime = this.has(place) ? place : ranges.start(ranges.length - 1) + 0.001;
        Object.assign(this, { target: null, landing: null });
        this.shown();
      }
    }
    this.feed();
    this.look();
  }

  /** Note when the picture stands; a paused element may have presented it before anyone could ask. */
  shown() {
    const { clicked, video } = this;
    const done = () => {
      if (clicked !== this.clicked || video.dataset.seekMs) return;
      video.dataset.seekMs = String(Math.round(performance.now() - clicked));
      this.tell("problem", null);
    };
    video.requestVideoFrameCallback?.(done);
    video.addEventListener("seeked", done, { once: true });
  }

  /** Fetch ahead, drop what lies behind, step over gaps, tell where we are. */
  look() {
    const { video, buffer } = this;
    Object.assign(video.dataset, {
      at: String(Math.round(this.now)),
      frames: String(video.getVideoPlaybackQuality?.().totalVideoFrames ?? 0),
      state: video.paused ? "paused" : "playing",
    });
    this.tell("time", this.now);
    if (!buffer || this.target !== null) return;
    const ranges = video.buffered;
    const end = ranges.length ? ranges.end(ranges.length - 1) : 0;
    for (let i = 1; i < ranges.length; i += 1) {
      const before = ranges.end(i - 1);
      if (video.currentTime >= before - 0.1 && video.currentTime < ranges.start(i)) {
        video.currentTime = ranges.start(i) + 0.001;
      }
    }
    const rested = !this.ended || performance.now() - this.ended > AGAIN;
    if (!this.awaiting && rested && this.queue.length < 2 && end - video.currentTime < AHEAD * video.playbackRate) {
      this.awaiting = true;
      this.ended = 0;
      if (this.socket) this.send({ do: "more" });
      else this.seek(this.now);
    }
    if (!buffer.updating && ranges.length && video.currentTime - ranges.start(0) > 2 * BEHIND) {
      buffer.remove(0, video.currentTime - BEHIND);
    }
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  /** One picture back (-1) or on (1). */
  step(direction) {
    this.video.pause();
    const place = this.video.currentTime + direction * STEP;
    if (this.has(place)) this.video.currentTime = place;
    else this.seek(this.now + direction * STEP * 1000);
  }
}
