// Buttons and keys of the playback page.

import { dayNamed, dayOf } from "./moments.js";
import { screenOf } from "./screen.js";

const part = (id) => document.getElementById(id);
const SECONDS = 1000;
const BAR = { ArrowLeft: -60, ArrowRight: 60, ArrowDown: -60, ArrowUp: 60, PageDown: -3600, PageUp: 3600 };

/** `parts`: {desk, clips, bookmarks}; `options`: an option for each channel. */
export function listen({ desk, clips, bookmarks }, options) {
  const day = (from) => desk.openDay(dayOf(from));
  const does = {
    back: () => desk.seek(desk.now - 10 * SECONDS),
    forth: () => desk.seek(desk.now + 10 * SECONDS),
    toggle: () => desk.toggle(),
    sound: () => part("sound").setAttribute("aria-pressed", String(desk.listen())),
    "step-back": () => desk.step(-1),
    "step-on": () => desk.step(1),
    "zoom-in": () => desk.bar.zoom(1),
    "zoom-out": () => desk.bar.zoom(-1),
    "zoom-day": () => desk.bar.view(dayOf(desk.now).from, dayOf(desk.now).to),
    "day-back": () => day(dayOf((desk.bar.from + desk.bar.to) / 2, -1).from),
    "day-on": () => day(dayOf((desk.bar.from + desk.bar.to) / 2, 1).from),
  };
  for (const [id, act] of Object.entries(does)) part(id).addEventListener("click", act);
  const keys = {
    " ": does.toggle, k: does.toggle, m: does.sound, j: does.back, l: does.forth, ",": does["step-back"], ".": does["step-on"],
    "[": () => clips.begin(), "]": () => clips.finish(), b: () => bookmarks.ask(), "+": does["zoom-in"], "=": does["zoom-in"],
    "-": does["zoom-out"], 0: does["zoom-day"], "?": () => part("playback-help").showModal(),
  };
  document.addEventListener("keydown", (event) => onKey(event, keys));
  part("bar").addEventListener("keydown", (event) => onBar(event, desk));
  part("speed").addEventListener("change", () => (desk.speed = Number(part("speed").value)));
  part("day").addEventListener("change", () => {
    const named = dayNamed(part("day").value);
    if (named) desk.openDay(named);
  });
  choose(desk, options);
}

function onKey(event, keys) {
  const act = keys[event.key.toLowerCase()];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog, summary, a")) return;
  if (event.key === " " && event.target.closest("button")) return;
  event.preventDefault();
  act();
}

function onBar(event, desk) {
  if (!(event.key in BAR)) return;
  event.preventDefault();
  desk.seek(desk.now + BAR[event.key] * SECONDS);
}

// --- which channel stands where -----------------------------------------------------------------------

function choose(desk, options) {
  const wall = part("desk");
  wall.addEventListener("change", ({ target }) => {
    desk.put(screenOf(target), target.value);
    plan(desk, options);
  });
  for (const type of ["focusin", "pointerdown"]) {
    wall.addEventListener(type, ({ target }) => {
      const screen = screenOf(target);
      if (screen && screen !== desk.marked) desk.mark(screen);
      plan(desk, options);
    });
  }
  wall.addEventListener("keydown", (event) => {
    if (event.target.matches(".cell")) walk(event, wall);
  });
  plan(desk, options);
}

/** From picture to picture by the arrow keys. */
function walk(event, wall) {
  const columns = getComputedStyle(wall).gridTemplateColumns.split(" ").length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  const cells = [...wall.children];
  const other = step && cells[cells.indexOf(event.target) + step];
  if (!other) return;
  event.preventDefault();
  other.focus();
}

/** What is of the marked camera: links with the word CHANNEL in their address, and the button that plans it. */
function plan(desk, options) {
  const { channel } = desk.marked;
  for (const link of document.querySelectorAll("a[data-of-channel]")) {
    link.hidden = !channel;
    link.href = link.dataset.ofChannel.replace("CHANNEL", encodeURIComponent(channel));
  }
  const form = part("plan");
  const record = options.get(channel).dataset.record ?? "";
  if (!form) return;
  form.hidden = !["continuous", "off"].includes(record);
  if (form.hidden) return;
  const on = record === "continuous";
  form.action = form.dataset.action.replace("CHANNEL", encodeURIComponent(channel));
  form.querySelector('[name="plan"]').value = on ? "off" : "continuous";
  const button = form.querySelector("button");
  button.textContent = on ? "Stop recording" : "Record continuously";
  button.classList.toggle("btn-main", !on);
}
