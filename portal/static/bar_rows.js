// One row of the coverage bar as shapes.

import { owes, reached, sortOf } from "./gaps.js";

const SVG = "http://www.w3.org/2000/svg";
const FORMS = { event: ["url(#event-form)", 0.2], manual: ["url(#manual-form)", 0.1], continuous: [null, 0] };

const SMALL = 0.3; // of the height is free above and below where only the small picture was recorded

/** An SVG element. */
export function part(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** `one`: {intervals, gaps, bookmarks}; at most one shape of each sort a point is drawn. */
export function row(one, top, height, width, place) {
  const group = part("g");
  const inner = { top: top + 2, height: height - 4 };
  group.append(part("line", { class: "gap-line", x1: 0, x2: width, y1: top + height / 2, y2: top + height / 2 }));
  group.append(...lines(one.gaps ?? [], inner, width, place));
  let last = null;
  let broken = -2;
  for (const interval of one.intervals) {
    const [low, high] = [Math.max(0, place(interval.start)), Math.min(width, place(interval.end))];
    if (high < 0 || low > width || high < low) continue;
    const near = last && alike(last.interval, interval) && low - last.high < 1 && low >= last.low;
    if (near && interval.after !== "clock") last.high = Math.max(last.high, high);
    else {
      if (last) group.append(...shapes(last, inner));
      last = { interval, low, high };
    }
    // A gap that is thinner than a point still shows.
    if (interval.after === "gap" && low > 0 && low - broken >= 1) {
      broken = low;
      group.append(part("line", { class: "gap-edge", x1: low, x2: low, y1: top, y2: top + height }));
    }
    if (interval.after === "clock") group.append(turn(low, inner));
  }
  if (last) group.append(...shapes(last, inner));
  group.append(...one.bookmarks.map(({ at, name }) => flag(place(at), top, name)));
  return group;
}

/** What is known of gaps. */
function lines(gaps, { top, height }, width, place) {
  const found = [];
  const middle = top + height / 2;
  let drawn = -2;
  for (const gap of gaps) {
    const [low, high] = [Math.max(0, place(gap.start)), Math.min(width, place(gap.end))];
    const sort = sortOf(gap);
    if (high <= low || (!sort && !owes(gap)) || (high - low < 1 && low - drawn < 1)) continue;
    drawn = low;
    if (sort) found.push(part("line", { class: `gap-${sort}`, x1: low, x2: high, y1: middle, y2: middle }));
    if (owes(gap)) found.push(...frame(gap, low, high, { y: top + height * SMALL, height: height * (1 - 2 * SMALL) }, place));
  }
  return found;
}

/** What is still to be fetched, and how far that is. */
function frame(gap, low, high, box, place) {
  const done = Math.max(low, Math.min(high, place(reached(gap))));
  const whole = part("rect", { class: "owed", x: low, width: Math.max(1.5, high - low), ...box });
  return [whole, part("rect", { class: "owed-done", x: low, width: done - low, ...box })];
}

const kindOf = ({ kind }) => (kind in FORMS ? kind : "continuous");
const alike = (one, other) =>
  kindOf(one) === kindOf(other) && Boolean(one.locked) === Boolean(other.locked) && (one.source || "") === (other.source || "") && one.stream === other.stream;

function shapes({ interval, low, high }, { top, height }) {
  const kind = kindOf(interval);
  const [form, full] = FORMS[kind];
  const inset = interval.stream ? SMALL : full;
  const box = { x: low, width: Math.max(1.5, high - low), y: top + height * inset, height: height * (1 - 2 * inset) };
  const found = [part("rect", { ...box, class: `kept kept-${kind}`, ...(form ? { fill: form } : {}) })];
  if (interval.locked) {
    found.push(part("path", { class: "locked", d: `M${low} ${top + 5}V${top}H${Math.max(low + 2, high)}v5` }));
  }
  if (interval.stream) found[0].append(titled("Sub stream only"));
  if (interval.source) {
    const line = part("path", { class: "fetched", d: `M${low} ${top + height - 2}H${Math.max(low + 2, high)}` });
    line.append(titled("Fetched from the camera’s own storage"));
    found.push(line);
  }
  return found;
}

/** Somebody set the clock: a triangle that stands on its tip. */
function turn(x, { top }) {
  const made = part("path", { class: "turned", d: `M${x - 4} ${top}h8l-4 7z` });
  made.append(titled("The clock was set here"));
  return made;
}

function flag(x, top, name) {
  const made = part("path", { class: "flag", d: `M${x} ${top}v11M${x} ${top}h7l-2 3 2 3h-7` });
  made.append(titled(name));
  return made;
}

function titled(text) {
  const made = part("title");
  made.textContent = text;
  return made;
}
