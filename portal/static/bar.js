// What is recorded, a row for each channel, over a span that is moved and zoomed. Kinds differ in form, not only in
// colour: continuous is full, event hatched, manual dotted, locked has a bar on top. A gap is a
// thin line: broken, whole where something failed, none where nothing was planned; in a frame while it is fetched.

import { dayOf, marks } from "./moments.js";
import { part, row } from "./bar_rows.js";

const LEAST = 20000; // milliseconds that fill the bar at the highest zoom
const MOST = 7 * 86400000;
const ZOOM = 1.6;
const FOOT = 20; // points for the marks of time
const SLOP = 4; // points a pointer may move and still click

export class Bar {
  /** `hears`: seek(moment), view(from, to) after the span changed, point(moment, index, x) or point(null). */
  constructor(root, hears) {
    Object.assign(this, { root, hears, rows: [], hand: 0, width: 800, clip: {}, pointers: new Map() });
    Object.assign(this, dayOf(Date.now()));
    this.svg = root.querySelector("svg");
    new ResizeObserver(([seen]) => {
      this.width = Math.max(200, Math.round(seen.contentRect.width));
      this.draw();
    }).observe(root);
    this.listen();
  }

  get high() {
    return this.rows.length <= 1 ? 36 : this.rows.length <= 4 ? 20 : 13;
  }

  x(moment) {
    return ((moment - this.from) / (this.to - this.from)) * this.width;
  }

  moment(x) {
    return this.from + (x / this.width) * (this.to - this.from);
  }

  // --- what is shown ----------------------------------------------------------------------------------

  view(from, to) {
    const span = Math.min(MOST, Math.max(LEAST, to - from));
    Object.assign(this, { from, to: from + span });
    this.draw();
    this.hears.view(this.from, this.to);
  }

  /** Make the span smaller (1) or larger (-1) around a moment. */
  zoom(steps, around = this.hand) {
    const middle = around < this.from || around > this.to ? (this.from + this.to) / 2 : around;
    const span = Math.min(MOST, Math.max(LEAST, (this.to - this.from) / ZOOM ** steps));
    const share = (middle - this.from) / (this.to - this.from);
    this.view(middle - share * span, middle + (1 - share) * span);
  }

  /** The playhead; the span goes on with one that runs out of it. */
  point(moment) {
    const inside = this.hand >= this.from && this.hand < this.to;
    this.hand = moment;
    const span = this.to - this.from;
    if (inside && moment >= this.to && moment - this.to < span) this.view(moment - span * 0.1, moment + span * 0.9);
    if (inside && moment < this.from && this.from - moment < span) this.view(moment - span * 0.9, moment + span * 0.1);
    this.svg.querySelector("#hand").setAttribute("x", this.x(moment) - 1);
  }

  /** `rows`: [{intervals, gaps, bookmarks}] from top to bottom. */
  show(rows) {
    this.rows = rows;
    this.draw();
  }

  draw() {
    const height = this.high * Math.max(1, this.rows.length);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height + FOOT}`);
    this.svg.setAttribute("height", height + FOOT);
    const place = (moment) => this.x(moment);
    this.svg.querySelector("#recorded").replaceChildren(
      ...this.rows.map((one, index) => row(one, index * this.high, this.high, this.width, place)),
    );
    this.svg.querySelector("#scale").replaceChildren(...this.scale(height));
    this.svg.querySelector("#hand").setAttribute("height", height);
    this.mark(this.clip);
    this.point(this.hand);
  }

  scale(height) {
    return marks(this.from, this.to, this.width / 76).flatMap(({ at, text }) => {
      const x = this.x(at);
      const name = part("text", { x: x + 4, y: height + 14 });
      name.textContent = text;
      return [part("line", { x1: x, x2: x, y1: height, y2: height + FOOT }), name];
    });
  }

  /** The span of a clip, {start, end}; either may be missing. */
  mark(clip) {
    this.clip = clip;
    const low = this.x(clip.start ?? 0);
    const shown = clip.start != null;
    const marked = this.svg.querySelector("#marked");
    marked.setAttribute("x", shown ? low : 0);
    marked.setAttribute("width", shown ? Math.max(2, this.x(clip.end ?? clip.start) - low) : 0);
    marked.setAttribute("height", this.high * Math.max(1, this.rows.length));
  }

  // --- pointer, wheel, pinch --------------------------------------------------------------------------

  listen() {
    const { root } = this;
    root.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    root.addEventListener("pointerdown", (event) => this.down(event));
    root.addEventListener("pointermove", (event) => this.move(event));
    root.addEventListener("pointerup", (event) => this.up(event));
    root.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    root.addEventListener("pointerleave", () => this.hears.point(null));
  }

  inside(event) {
    return event.clientX - this.svg.getBoundingClientRect().left;
  }

  wheel(event) {
    event.preventDefault();
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!sideways) return this.zoom(-Math.sign(event.deltaY) * (event.ctrlKey ? 0.4 : 1), this.moment(this.inside(event)));
    this.pan(Math.sign(event.deltaX || event.deltaY) * this.width * 0.1);
  }

  pan(points) {
    const by = (points / this.width) * (this.to - this.from);
    this.view(this.from + by, this.to + by);
  }

  down(event) {
    if (event.button) return;
    this.root.setPointerCapture?.(event.pointerId);
    const x = this.inside(event);
    this.pointers.set(event.pointerId, { x, first: x });
  }

  move(event) {
    const held = this.pointers.get(event.pointerId);
    const x = this.inside(event);
    if (!held) return this.hears.point(this.moment(x), this.index(event), x);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) this.pinch(other.x, held.x, x);
    else if (held.moved || Math.abs(x - held.first) > SLOP) {
      held.moved = true;
      this.hears.point(null);
      this.pan(held.x - x);
    } else return;
    held.x = x;
    if (other) held.moved = other.moved = true;
  }

  pinch(other, before, now) {
    const wide = Math.max(8, Math.abs(now - other)) / Math.max(8, Math.abs(before - other));
    this.zoom(Math.log(wide) / Math.log(ZOOM), this.moment((other + now) / 2));
  }

  up(event) {
    const held = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    if (held && !held.moved) this.hears.seek(this.moment(this.inside(event)));
  }

  index(event) {
    return Math.floor((event.clientY - this.svg.getBoundingClientRect().top) / this.high);
  }
}
