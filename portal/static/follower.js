// Keeps a <video> element at the playhead: small differences by a little more or less speed, large ones by a jump
// that aims at where the playhead will be once the picture stands.

const NEAR = 0.015; // seconds of difference that nobody sees
const FAR = 0.8; // seconds of real time beyond which it jumps
const PULL = 0.4; // the most it runs faster or slower than asked
const LOUD = { near: 0.06, pull: 0.03 }; // the same where it is heard: a voice must not waver
const STILL = 0.004; // a standing picture is set anew beyond this
const FASTEST = 16; // what a browser plays

export class Follower {
  constructor(video) {
    Object.assign(this, { video, lead: 0.1, since: null, clicked: null });
    video.addEventListener("seeked", () => this.landed());
  }

  /** A person asked for another moment: how long until its picture stands is noted. */
  click() {
    this.clicked = performance.now();
    delete this.video.dataset.seekMs;
  }

  /** `place`: where the playhead is in the element, seconds; null while there is no picture of it. */
  follow(place, { playing, speed }) {
    const { video } = this;
    if (place === null) return this.rest();
    if (!playing) return this.stand(place);
    const late = (place - video.currentTime) / speed;
    video.dataset.driftMs = String(Math.round(late * 1000));
    if (video.seeking) return;
    if (Math.abs(late) > FAR) this.jump(place + this.lead * speed);
    else this.pace(late, speed);
    if (video.paused) video.play().catch(() => {});
  }

  rest() {
    delete this.video.dataset.driftMs;
    if (!this.video.paused) this.video.pause();
  }

  stand(place) {
    const { video } = this;
    // What stands after a pause may be the picture after the one of that moment.
    const ran = !video.paused;
    if (ran) video.pause();
    if (ran || (!video.seeking && Math.abs(video.currentTime - place) > STILL)) this.jump(place);
    else if (!video.seeking) this.arrived();
  }

  pace(late, speed) {
    const { near, pull: most } = this.video.muted ? { near: NEAR, pull: PULL } : LOUD;
    const pull = Math.abs(late) < near ? 0 : Math.max(-most, Math.min(most, late * 1.5));
    const rate = Math.max(0.0625, Math.min(FASTEST, speed * (1 + pull)));
    if (Math.abs(this.video.playbackRate - rate) > 0.01 * speed) this.video.playbackRate = rate;
    this.arrived();
  }

  jump(place) {
    const ranges = this.video.buffered;
    const end = ranges.length ? ranges.end(ranges.length - 1) : place;
    this.since = performance.now();
    this.video.currentTime = Math.min(place, Math.max(0, end - 0.02));
  }

  landed() {
    if (this.since === null) return;
    const took = (performance.now() - this.since) / 1000;
    this.lead = Math.min(1, this.lead * 0.5 + took * 0.5);
    this.since = null;
    this.arrived();
  }

  arrived() {
    if (this.clicked === null || this.video.readyState < 2) return;
    this.video.dataset.seekMs = String(Math.round(performance.now() - this.clicked));
    this.clicked = null;
  }
}
