// The pictures around a moment, in a <video> element: fetched group by group, kept in Media Source Extensions.
// The element's time counts seconds from `origin`, so that a place in it is a moment of the recording.

import { times } from "./fragments.js";
import { Recording } from "./recording.js";

const AHEAD = 8000; // milliseconds at normal speed that are fetched beyond the moment
const BEHIND = 20000; // milliseconds that are kept behind it
const AGAIN = 2000; // before the newest end is asked for again, and before a hole is asked for again
const LATE = 3000; // what lies further behind is not waited for
const JOIN = 500; // groups this close follow each other without a gap
const BORDER = 10000; // by as much two streams may overlap
const EDGE = 0.2; // seconds by which the first picture of a range may be shown late
const SWIFT = 1000; // an answer that takes longer is late
const SILENCE = 15000; // before a question without an answer is put again
const DAY = 86400000;
const Source = window.ManagedMediaSource ?? window.MediaSource;

export class Archive {
  /** `permit()` as for Recording; `problem(text)` hears what cannot be shown, null when it can. */
  constructor(video, permit, problem) {
    Object.assign(this, { video, problem, queue: [], frames: [], spans: [], asked: null, ended: null, took: 0 });
    this.fresh = this.jumped = false;
    this.recording = new Recording(permit, {
      init: (about, data) => {
        this.hear(about);
        this.type(about.mime, about.timescale ?? 90000, data);
      },
      gop: (about, data) => this.take(about, data),
      end: () => this.end(),
      lost: () => Object.assign(this, { asked: null, broken: true }),
      problem,
    });
  }

  close() {
    this.recording.close();
    if (this.url) URL.revokeObjectURL(this.url);
  }

  // --- what is known ----------------------------------------------------------------------------------

  /** What there is at a moment: picture, loading, gap (`until` when, if that is known) or end. */
  at(moment) {
    if (this.place(moment) !== null) return { kind: "picture" };
    if (!this.known(moment) || moment < this.skip) return { kind: "loading" };
    if (moment >= this.high) return { kind: this.ended !== null ? "end" : "loading" };
    if (this.held(moment) && !this.hollow) return { kind: "loading" };
    return { kind: "gap", until: this.spans.find(({ start }) => start > moment)?.start };
  }

  /** Where the element has a moment's picture, in seconds; null where it has none. */
  place(moment) {
    if (!this.fresh) return null;
    const wanted = (moment - this.origin) / 1000;
    const ranges = this.video.buffered;
    for (let i = 0; i < ranges.length; i += 1) {
      const from = ranges.start(i);
      if (from <= wanted && wanted < ranges.end(i)) return wanted;
      if (from - EDGE <= wanted && wanted < from && this.held(moment)) return from + 0.001;
    }
    return null;
  }

  held(moment) {
    return this.spans.some(({ start, end }) => start <= moment && moment < end);
  }

  known(moment, slack = 0) {
    return this.low != null && this.low <= moment && moment <= this.high + slack;
  }

  /** The picture before (-1) or after (1) the one of a moment; null where that is not here. */
  beside(moment, step) {
    if (step > 0) return this.frames.find((at) => at > moment + 2) ?? null;
    const shown = this.frames.findLastIndex((at) => at <= moment + 2);
    return this.frames[shown - 1] ?? null;
  }

  // --- fetching ---------------------------------------------------------------------------------------

  /** Have the pictures of a moment and of what follows, of a `stream`, with `sound` what was heard; asked again and
   *  again. */
  provide(moment, speed, keys, sound, stream) {
    const now = performance.now();
    if (sound && this.heard && !this.loud && !this.dumb) this.low = null; // what is here is silent
    if (stream !== this.stream) this.low = null;
    Object.assign(this, { sound, moment, stream });
    const rested = this.ended === null || now - this.ended > AGAIN;
    const away = keys !== this.keys || !this.known(moment, this.ended === null ? LATE * speed : 0);
    if (this.jumped || keys !== this.keys) {
      if (away) this.start(moment, keys);
      this.jumped = false;
    } else if (this.asked !== null) {
      if (now - this.asked > SILENCE) this.start(moment, keys);
    } else if (away) {
      // Where answers take long, the playhead will be further on when this one comes.
      if (rested || moment < this.low) this.start(moment, keys, this.took > SWIFT ? this.took * speed : 0);
    } else if (this.evicted(moment)) this.start(moment, keys);
    else if (rested && this.queue.length < 2 && this.high - moment < AHEAD * speed) this.more(moment);
    if (this.queue[0]?.mime) this.feed();
    this.forget(moment);
  }

  /** A person asked for another moment: an answer that is on its way is not waited for. */
  jump() {
    this.jumped = true;
  }

  start(moment, keys, lead = 0) {
    const from = moment + lead;
    Object.assign(this, { keys, low: moment, skip: from, high: from, first: true, ended: null, fresh: false, broken: false });
    Object.assign(this, { queue: [], frames: [], spans: [], wipe: Boolean(this.buffer), began: performance.now() });
    this.origin = Math.floor(moment / DAY) * DAY - DAY;
    this.loud = this.sound;
    this.put(this.recording.play(from, this.origin, keys, this.loud, this.stream));
    this.feed();
  }

  more(moment) {
    if (this.spans.length && !this.broken) this.put(this.recording.more());
    else this.start(moment, this.keys);
  }

  async put(sent) {
    this.asked = performance.now();
    if (!(await sent)) Object.assign(this, { asked: null, low: null });
  }

  /** The browser let go of pictures by itself, or a group has a hole; the latter stays one. */
  evicted(moment) {
    const here = this.fresh && !this.queue.length && !this.buffer?.updating;
    const missing = here && this.held(moment) && this.place(moment) === null;
    this.hollow = missing && performance.now() - this.began < AGAIN;
    return missing && !this.hollow;
  }

  take(about, data) {
    this.took = performance.now() - this.asked;
    this.asked = this.ended = null;
    const turned = about.stream !== this.shown;
    // Where the clock was set back, time goes on with what was recorded last of it; two streams may overlap.
    if (!this.first && about.at < this.high - (turned ? BORDER : JOIN)) return this.start(this.high, this.keys);
    this.shown = about.stream;
    if (this.first) this.low = Math.min(this.low, about.at);
    this.first = false;
    this.high = Math.max(this.high, about.end);
    const last = this.spans.at(-1);
    if (last && about.at - last.end < JOIN) last.end = Math.max(last.end, about.end);
    else this.spans.push({ start: about.at, end: about.end });
    if (turned) this.frames = this.frames.filter((at) => at < about.at);
    this.frames.push(...times(data, this.timescale).map((at) => this.origin + at));
    this.queue.push({ data });
    this.problem(null);
    this.feed();
  }

  end() {
    this.asked = null;
    this.ended = performance.now();
  }

  /** `heard` names the recorded sound, "" is none; `dumb`: browsers cannot play it. */
  hear({ mime, sound }) {
    this.heard = sound ?? "";
    this.dumb = Boolean(this.loud && this.heard && !mime.includes(","));
  }

  // --- the element ------------------------------------------------------------------------------------

  type(mime, timescale, data) {
    this.timescale = timescale;
    if (!Source?.isTypeSupported(mime)) {
      const remedy = "Use a browser with that decoder, or download a clip.";
      return this.problem({ what: "This browser cannot show it.", why: `It is ${mime}.`, remedy });
    }
    this.queue.push({ mime, data });
    this.feed();
  }

  begin(mime) {
    if (this.source) return;
    const source = (this.source = new Source());
    this.tracks = tracks(mime);
    this.video.disableRemotePlayback = true; // ManagedMediaSource asks for it
    this.video.src = this.url = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => {
      if (source !== this.source) return;
      const buffer = (this.buffer = source.addSourceBuffer(mime));
      buffer.addEventListener("updateend", () => buffer === this.buffer && this.appended());
      this.feed();
    }, { once: true });
  }

  feed() {
    if (!this.buffer) return this.queue[0]?.mime && this.begin(this.queue[0].mime);
    if (this.buffer.updating) return;
    const mime = this.queue[0]?.mime;
    if (mime && tracks(mime) !== this.tracks) return this.place(this.moment) === null && this.renew(mime);
    if (this.wipe) return this.empty();
    const part = this.queue.shift();
    if (!part) return;
    if (part.mime) this.buffer.changeType(part.mime);
    try {
      this.buffer.appendBuffer(part.data);
      this.landing = !part.mime;
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      this.queue.unshift(part);
      this.buffer.remove(0, Math.max(0.1, this.video.currentTime - 2));
    }
  }

  /** A source keeps its number of tracks: sound that begins or ends needs another one, once this one is played. */
  renew(mime) {
    URL.revokeObjectURL(this.url);
    Object.assign(this, { source: null, buffer: null, wipe: false, fresh: false });
    this.begin(mime);
  }

  empty() {
    this.wipe = false;
    this.buffer.abort();
    this.buffer.remove(0, Infinity);
  }

  appended() {
    if (this.landing && !this.wipe) this.fresh = true;
    this.landing = false;
    if (this.trimmed && this.video.buffered.length) {
      this.low = Math.max(this.low, this.origin + this.video.buffered.start(0) * 1000);
    }
    this.trimmed = false;
    this.feed();
  }

  forget(moment) {
    const { buffer, video } = this;
    if (!this.fresh || buffer.updating || !video.buffered.length) return;
    const kept = (moment - this.origin - BEHIND) / 1000;
    if (video.buffered.start(0) > kept - BEHIND / 1000) return;
    this.trimmed = true;
    this.frames = this.frames.filter((at) => at >= moment - BEHIND);
    this.spans = this.spans.filter(({ end }) => end >= moment - BEHIND);
    buffer.remove(0, kept);
  }
}

const tracks = (mime) => mime.split(",").length;
