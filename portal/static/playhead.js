// The one moment that every picture shows. It runs on the page's own clock, never on that of a video, so that a
// picture that comes late holds up nobody.

export class Playhead {
  constructor() {
    Object.assign(this, { base: 0, began: null, rate: 1, limit: Infinity });
  }

  get playing() {
    return this.began !== null;
  }

  /** Milliseconds since 1970. */
  get now() {
    if (!this.playing) return this.base;
    const run = this.base + (performance.now() - this.began) * this.rate;
    return Math.max(this.base, Math.min(this.limit, run));
  }

  get speed() {
    return this.rate;
  }

  set speed(rate) {
    this.seek(this.now);
    this.rate = rate;
  }

  seek(moment) {
    this.base = moment;
    if (this.playing) this.began = performance.now();
  }

  play() {
    this.began ??= performance.now();
  }

  pause() {
    this.base = this.now;
    this.began = null;
  }

  /** Do not run past `limit`; from there it goes on as far as the limit goes on. */
  hold(limit) {
    const { now } = this;
    this.limit = limit;
    if (this.playing && now >= limit) this.seek(now);
  }
}
