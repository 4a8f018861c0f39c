// The pictures of the playback page in step: one playhead, which all of them follow.

import { Bar } from "./bar.js";
import { dayOf } from "./moments.js";
import { Playhead } from "./playhead.js";
import { Screen } from "./screen.js";

const TICK = 100; // milliseconds
const FULL = 9; // as many pictures a second as nine cameras at normal speed are decoded; else key frames alone
const FRAME = 40; // milliseconds of a step where the pictures' own times are not known
const LARGE = 4; // pictures at once that show the main stream; more of them are small, and show the sub stream
const NEWEST = 10000; // milliseconds before the newest picture where a page without a moment begins

export class Desk {
  /** `hears`: tick(moment) often, changed() when channels or moment are others, point as for the bar. */
  constructor(box, options, hears) {
    Object.assign(this, { box, hears, head: new Playhead(), placed: false, loud: false, marks: () => [] });
    const { open, csrf } = box.dataset;
    this.screens = [...box.querySelectorAll(".cell")].map((cell) => new Screen(cell, options, open, csrf));
    this.bar = new Bar(document.getElementById("bar"), {
      seek: (moment) => this.seek(moment),
      view: () => this.searchSoon(),
      point: hears.point,
    });
    this.mark(this.screens[0]);
    setInterval(() => this.tick(), TICK);
    setInterval(() => this.search(), 15000);
    setInterval(() => this.screens.some((screen) => screen.owes) && this.search(), 3000);
    addEventListener("pagehide", () => this.screens.forEach((screen) => screen.close()));
  }

  // --- the playhead -----------------------------------------------------------------------------------

  get now() {
    return this.head.now;
  }

  seek(moment) {
    this.placed = true;
    this.head.limit = Infinity;
    this.head.seek(Math.round(moment));
    for (const screen of this.screens) screen.jump();
    this.tick();
    this.hears.changed();
  }

  toggle() {
    if (this.head.playing) this.head.pause();
    else this.head.play();
    this.tick();
    this.hears.changed();
  }

  /** One picture of the marked camera back (-1) or on (1); the others show that moment too. */
  step(direction) {
    this.head.pause();
    const archives = [this.marked, ...this.screens].map(({ archive }) => archive).filter(Boolean);
    const shown = archives.find((archive) => archive.place(this.now) !== null);
    const at = shown?.beside(this.now, direction);
    this.seek(at == null ? this.now + direction * FRAME : Math.ceil(at) + 1);
  }

  set speed(rate) {
    this.head.speed = rate;
    this.tick();
  }

  /** Hear the marked camera, at normal speed, or nothing. */
  listen() {
    this.loud = !this.loud;
    this.tick();
    return this.loud;
  }

  get keys() {
    return this.head.speed * this.screens.filter(({ channel }) => channel).length > FULL;
  }

  get stream() {
    return this.screens.length > LARGE ? "sub" : "main";
  }

  tick() {
    if (!this.placed) return;
    const moment = this.now;
    for (const screen of this.screens) screen.tick(moment, this.head, this.keys, this.loud && screen === this.marked, this.stream);
    this.head.hold(this.limit());
    this.bar.point(moment);
    this.hears.tick(moment);
  }

  /** The newest picture of all cameras, if nothing is left to fetch: it stays until there are more. */
  limit() {
    const archives = this.screens.map(({ archive }) => archive).filter(Boolean);
    if (!archives.length || archives.some((one) => one.ended === null)) return Infinity;
    return Math.max(...archives.map(({ high }) => high)) - FRAME;
  }

  // --- channels ---------------------------------------------------------------------------------------

  mark(screen) {
    this.marked = screen;
    for (const { cell } of this.screens) {
      cell.tabIndex = cell === screen.cell ? 0 : -1;
      cell.toggleAttribute("data-marked", cell === screen.cell);
      for (const control of cell.querySelectorAll("select, button")) control.tabIndex = cell.tabIndex;
    }
    this.show();
  }

  put(screen, channel) {
    screen.set(channel);
    this.mark(screen);
    if (this.placed) this.tick();
    this.search();
    this.hears.changed();
  }

  // --- what is recorded -------------------------------------------------------------------------------

  searchSoon() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.search(), 200);
  }

  async search() {
    const { from, to } = this.bar;
    const mine = (this.searching = {});
    const around = (to - from) / 2;
    const [low, high] = [Math.round(from - around), Math.round(to + around)];
    await Promise.all(this.screens.map(async (screen) => (await screen.search(low, high)) && this.show()));
    if (mine !== this.searching) return;
    if (!this.placed) this.seek(this.beginning());
    this.show();
  }

  /** Today shortly before the newest picture, another day with its first one. */
  beginning() {
    const { from, to } = this.bar;
    const here = ({ start, end }) => end > from && start < to;
    const found = this.screens.flatMap(({ intervals }) => intervals.filter(here));
    if (!found.length) return Math.min(from, Date.now());
    if (from !== dayOf(Date.now()).from) return Math.max(from, Math.min(...found.map(({ start }) => start)));
    const newest = found.reduce((one, other) => (other.end > one.end ? other : one));
    return Math.max(newest.start, newest.end - NEWEST);
  }

  show() {
    const used = this.screens.filter(({ channel }) => channel);
    this.bar.show(used.map(({ intervals, gaps, channel }) => ({ intervals, gaps, bookmarks: this.marks(channel) })));
    this.hears.shown(used);
  }

  /** The span of a day, and its beginning once that is known. */
  openDay({ from, to }) {
    this.placed = false;
    this.searching = null;
    this.head.pause();
    this.bar.hand = from;
    this.bar.view(from, to);
  }
}
