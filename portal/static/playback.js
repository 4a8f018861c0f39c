// The playback page: what stands in its address, what its buttons and keys do, and what it tells others.

import { permission, words } from "./asking.js";
import { Bookmarks } from "./bookmarks.js";
import { Clips } from "./clips.js";
import { listen } from "./controls.js";
import { Desk } from "./desk.js";
import { gapText, lasting, missing } from "./gaps.js";
import { Glance } from "./glance.js";
import { clockText, dayNamed, dayNote, dayOf, dayText, momentText, zoneText } from "./moments.js";
import { screenOf } from "./screen.js";

const box = document.getElementById("playback");
const part = (id) => document.getElementById(id);
const KEEP = 5000; // milliseconds between two notes of the moment in the address
const USE = 60000; // between two requests that keep the session of somebody who watches or works here
const OTHERWISE = { what: "The recording was refused.", remedy: "Try again." };

function say(text) {
  part("said").textContent = text?.what ? words(text) : text;
}

/** The address that shows another person the same; cameras that a smaller desk has no place for stay at its end. */
function address(desk, size = box.querySelector("#desk").dataset.size) {
  const here = new URL(location.href);
  const more = here.searchParams.getAll("c").slice(desk.screens.length);
  here.searchParams.delete("c");
  here.searchParams.set("size", size);
  for (const channel of [...desk.screens.map((screen) => screen.channel), ...more]) here.searchParams.append("c", channel);
  if (desk.placed) here.searchParams.set("at", new Date(desk.now).toISOString());
  return here;
}

/** What other tools of the page work on. */
function tell(desk, clips) {
  const channels = desk.screens.map(({ channel }) => channel).filter(Boolean);
  Object.assign(box.dataset, {
    channels: channels.join(),
    channel: desk.marked.channel,
    at: desk.placed ? String(Math.round(desk.now)) : "",
    clipFrom: String(clips.start ?? ""),
    clipTo: String(clips.end ?? ""),
  });
  box.dispatchEvent(new CustomEvent("playback:change"));
}

function start() {
  const listed = part("channel-options").content.children;
  const options = new Map([...listed].map((option) => [option.value, option]));
  const glance = new Glance(part("glance"));
  let [kept, used] = [0, performance.now()];
  let parts = null;

  const changed = () => {
    if (!parts) return;
    kept = performance.now();
    history.replaceState(null, "", address(parts.desk));
    for (const link of document.querySelectorAll("[data-desk-size]")) link.href = address(parts.desk, link.dataset.deskSize);
    const again = kept - used > USE;
    if (again) used = kept;
    parts.bookmarks.follow(again);
    tell(parts.desk, parts.clips);
  };
  const desk = new Desk(box, options, {
    changed,
    tick: (moment) => {
      showMoment(desk, moment);
      glance.focus(part("bar"), desk.marked, moment, desk.bar.x(moment));
      if (desk.head.playing && performance.now() - kept > KEEP) changed();
    },
    shown: (used) => {
      if (parts) shown(desk, used);
      glance.again();
    },
    point: (moment, index, x) => {
      const screen = desk.screens.filter(({ channel }) => channel)[index];
      glance.show(moment === null ? null : screen, moment, x);
    },
  });
  const clips = new Clips(desk, (channel) => permission(box.dataset.open.replace("CHANNEL", channel), box.dataset.csrf, OTHERWISE), say, changed);
  parts = { desk, clips, bookmarks: new Bookmarks(box, desk, say) };
  listen(parts, options);
  for (const type of ["focusin", "pointerover", "pointerdown"]) {
    part("desk").addEventListener(type, ({ target }) => target.matches("select") && screenOf(target).offer(true));
  }
  begin(desk);
  changed();
}

/** Where the address says, else where today's recordings end. */
function begin(desk) {
  const at = Date.parse(new URL(location.href).searchParams.get("at") ?? "");
  const named = !Number.isNaN(at);
  desk.openDay(dayOf(named ? at : Date.now()));
  if (named) desk.seek(at);
}

function showMoment(desk, moment) {
  part("clock").textContent = momentText(moment);
  part("keys-alone").hidden = !desk.keys;
  const { from, to } = dayOf(moment);
  const bar = part("bar");
  bar.setAttribute("aria-valuemax", Math.round((to - from) / 1000));
  bar.setAttribute("aria-valuenow", Math.round((moment - from) / 1000));
  const gap = desk.marked.gapAt(moment);
  const text = [momentText(moment), gap ? `Nothing recorded. ${gapText(gap)}` : ""].filter(Boolean).join(". ");
  if (bar.getAttribute("aria-valuetext") !== text) bar.setAttribute("aria-valuetext", text);
  showSound(desk);
  const word = desk.head.playing ? "Pause" : "Play";
  if (part("toggle").textContent !== word) part("toggle").textContent = word;
}

/** Why nothing is heard, where somebody wants to hear. */
function showSound({ loud, marked, head }) {
  const { heard, dumb } = marked.archive ?? {};
  const why = dumb ? `browsers do not play ${heard}` : heard === "" ? "recorded without sound" : head.speed !== 1 ? "sound at 1 × only" : "";
  part("no-sound").hidden = !loud || !why;
  if (part("no-sound").textContent !== why) part("no-sound").textContent = why;
}

function shown(desk, used) {
  const { from, to } = desk.bar;
  part("bar-names").replaceChildren(...used.map(({ name, channel }) => {
    const row = document.createElement("li");
    row.textContent = name;
    row.toggleAttribute("data-marked", channel === desk.marked.channel);
    return row;
  }));
  part("bar-names").dataset.rows = used.length <= 1 ? "one" : used.length <= 4 ? "few" : "many";
  const middle = (from + to) / 2;
  if (dayNamed(part("day").value)?.from !== dayOf(middle).from) part("day").value = dayText(middle);
  part("covered").textContent = covered(desk.marked, from, to);
}

function covered({ name, intervals, gaps, seen }, from, to) {
  const day = dayOf((from + to) / 2);
  const whole = day.from === from && day.to === to;
  const note = whole ? dayNote(day) : "";
  if (!name || !seen) return note;
  const clock = (at) => (zoneText(from) === zoneText(to) ? clockText(at) : `${clockText(at)} ${zoneText(at)}`);
  let [total, reached] = [0, from];
  for (const { start, end } of [...intervals].sort((one, other) => one.start - other.start)) {
    total += Math.max(0, Math.min(end, to) - Math.max(start, reached));
    reached = Math.max(reached, Math.min(end, to));
  }
  const text = total > 0 ? `${lasting(total)} recorded` : "nothing recorded";
  const span = whole ? "on this day" : `from ${clock(from)} to ${clock(to)}`;
  const jumps = intervals.filter(({ after, start }) => after === "clock" && start > from && start < to).length;
  return [`${name}: ${text} ${span}.`, jumps ? "The clock was set in it." : "", missing(gaps, from, to), note].filter(Boolean).join(" ");
}

if (box) start();
