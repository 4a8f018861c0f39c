// A small picture of the moment under the pointer: the key frame at or before it, asked for when the pointer rests.

import { gapText } from "./gaps.js";
import { momentText } from "./moments.js";

const REST = 120; // milliseconds
const STEP = 10000; // pictures of moments closer than this are the same
const KEPT = 200;
const HALF = 130; // points from its middle to its side

export class Glance {
  constructor(figure) {
    Object.assign(this, { figure, kept: new Map(), image: figure.querySelector("img") });
    [this.text, this.why] = figure.querySelectorAll("figcaption span");
  }

  /** While no pointer is on the bar, whoever moves along it by keys hears why nothing is there. */
  focus(bar, screen, moment, x) {
    if (this.pointed) return undefined;
    const wanted = bar.matches(":focus-visible") && screen.gapAt(moment);
    if (!wanted) return (this.figure.hidden = true);
    this.put(null);
    return this.place(screen, moment, x);
  }

  /** `screen`: whose row the pointer is on; `x` points from the left of the bar. */
  show(screen, moment, x) {
    clearTimeout(this.timer);
    this.pointed = Boolean(screen) && moment !== null;
    if (!this.pointed) return (this.figure.hidden = true);
    this.last = [screen, moment, x];
    this.place(screen, moment, x);
    const at = nearest(screen.intervals, moment);
    this.wanted = `${screen.channel} ${at}`;
    if (at === null || this.kept.has(this.wanted)) return this.put(this.kept.get(this.wanted) ?? null);
    this.timer = setTimeout(() => this.ask(screen, at, this.wanted), REST);
    return undefined;
  }

  /** What is known of a gap has changed. */
  again() {
    if (this.pointed) this.place(...this.last);
  }

  place(screen, moment, x) {
    this.figure.hidden = false;
    const most = this.figure.parentElement.clientWidth - HALF;
    this.figure.style.left = `${Math.round(Math.max(HALF, Math.min(most, x)))}px`;
    this.text.textContent = `${screen.name} ${momentText(moment)}`;
    const gap = screen.gapAt(moment);
    this.why.textContent = gap ? gapText(gap) : "";
    this.why.hidden = !gap;
  }

  async ask(screen, at, key) {
    // One question at a time; the pointer may be elsewhere when it is answered.
    await this.asking;
    if (key !== this.wanted) return;
    this.asking = screen.glance(at);
    const answer = await this.asking;
    if (answer?.jpeg) this.keep(key, answer.jpeg);
    if (key === this.wanted) this.put(answer?.jpeg ?? null);
  }

  keep(key, jpeg) {
    this.kept.set(key, jpeg);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
  }

  put(jpeg) {
    this.image.hidden = !jpeg;
    if (jpeg) this.image.src = `data:image/jpeg;base64,${jpeg}`;
  }
}

/** The moment to ask for, so that pointers nearby ask for the same; null where nothing is recorded. */
function nearest(intervals, moment) {
  const held = intervals.findLast(({ start, end }) => start <= moment && moment < end);
  if (!held) return null;
  const near = Math.round(moment / STEP) * STEP;
  return Math.round(near >= held.start && near < held.end ? near : moment);
}
