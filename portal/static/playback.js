// The day view: the bar with what is recorded, the controls and keys, and clips.

import { Archive } from "./archive.js";
import { permission } from "./permission.js";

const box = document.getElementById("playback");
const part = (id) => document.getElementById(id);
const DAY = 86400000;
const SVG = "http://www.w3.org/2000/svg";

const OTHERWISE = { what: "The recording was refused.", remedy: "Try again." };
const ask = () => permission(box.dataset.open, box.dataset.csrf, OTHERWISE);

const clockText = (moment) => new Date(moment).toLocaleTimeString([], { hour12: false });
const twoDigits = (number) => String(number).padStart(2, "0");
const dayText = (date) => `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;

function say(problem) {
  const message = part("message");
  message.hidden = !problem;
  if (!problem) return;
  const title = document.createElement("b");
  title.textContent = problem.what;
  const rest = document.createElement("span");
  rest.textContent = [problem.why, problem.remedy].filter(Boolean).join(" ");
  message.replaceChildren(title, rest);
}

function start() {
  let origin = 0;
  let archive = null;
  let clip = { start: null, end: null };
  let latest = null;

  function drawTimeline({ intervals, covered }) {
    const bars = intervals.map(({ start: from, end, after }) => {
      const bar = document.createElementNS(SVG, "rect");
      bar.setAttribute("x", (from - origin) / 1000);
      bar.setAttribute("width", Math.max(20, (end - from) / 1000));
      bar.setAttribute("y", after === "clock" ? 22 : 4);
      bar.setAttribute("height", after === "clock" ? 14 : 32);
      bar.setAttribute("class", after);
      return bar;
    });
    part("recorded").replaceChildren(...bars);
    const minutes = Math.round(covered / 60000);
    const jumps = intervals.filter((one) => one.after === "clock").length;
    const set = jumps ? ` The clock was set ${jumps === 1 ? "once" : `${jumps} times`}.` : "";
    part("covered").textContent =
      (intervals.length ? `${Math.floor(minutes / 60)} h ${minutes % 60} min recorded.` : "Nothing is recorded on this day.") + set;
    box.dataset.intervals = String(intervals.length);
    const newest = intervals.at(-1);
    if (latest === null && newest) archive.seek(Math.max(newest.start, newest.end - 10000));
    latest = newest ?? null;
  }

  function showTime(moment) {
    const seconds = Math.min(86400, Math.max(0, (moment - origin) / 1000));
    part("clock").textContent = clockText(moment);
    part("hand").setAttribute("x", seconds - 60);
    part("bar").setAttribute("aria-valuenow", Math.round(seconds));
    part("bar").setAttribute("aria-valuetext", clockText(moment));
    const text = part("picture").paused ? "Play" : "Pause";
    if (part("toggle").textContent !== text) part("toggle").textContent = text;
  }

  function showClip() {
    const { start: from, end } = clip;
    part("mark-end").disabled = from === null;
    part("download").disabled = from === null || end === null;
    Object.assign(box.dataset, { clipStart: from ?? "", clipEnd: end ?? "" });
    part("marked").setAttribute("x", from === null ? 0 : (from - origin) / 1000);
    part("marked").setAttribute("width", from === null ? 0 : Math.max(40, ((end ?? from) - from) / 1000));
  }

  const hears = { timeline: drawTimeline, time: showTime, problem: say };

  function openDay(text) {
    const [year, month, day] = text.split("-").map(Number);
    origin = new Date(year, month - 1, day).getTime();
    archive?.close();
    latest = null;
    clip = { start: null, end: null };
    showClip();
    const old = part("picture");
    const video = old.cloneNode(false);
    video.removeAttribute("src");
    old.replaceWith(video);
    video.playbackRate = Number(part("speed").value);
    archive = new Archive(video, origin, ask, (event, data) => hears[event]?.(data));
    archive.timeline(origin, origin + DAY);
  }

  const seek = (moment) => archive.seek(Math.min(origin + DAY - 1, Math.max(origin, moment)));
  const acts = {
    " ": () => archive.toggle(), k: () => archive.toggle(), j: () => seek(archive.now - 10000),
    l: () => seek(archive.now + 10000), ",": () => archive.step(-1), ".": () => archive.step(1),
  };
  document.addEventListener("keydown", (event) => {
    const act = acts[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, dialog, summary, a")) return;
    if (event.key === " " && event.target.closest("button")) return;
    event.preventDefault();
    act();
  });
  part("bar").addEventListener("click", (event) => {
    const around = part("bar").getBoundingClientRect();
    seek(origin + ((event.clientX - around.left) / around.width) * DAY);
  });
  part("bar").addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -60000, ArrowRight: 60000, PageDown: -3600000, PageUp: 3600000 };
    if (!steps[event.key]) return;
    event.preventDefault();
    seek(archive.now + steps[event.key]);
  });
  part("back").addEventListener("click", acts.j);
  part("forth").addEventListener("click", acts.l);
  part("toggle").addEventListener("click", acts.k);
  part("speed").addEventListener("change", () => {
    part("picture").playbackRate = Number(part("speed").value);
  });
  part("mark-start").addEventListener("click", () => {
    clip = { start: Math.round(archive.now), end: null };
    showClip();
  });
  part("mark-end").addEventListener("click", () => {
    const times = [clip.start, Math.round(archive.now)].sort((a, b) => a - b);
    clip = { start: times[0], end: Math.max(times[1], times[0] + 1000) };
    showClip();
  });
  part("download").addEventListener("click", async () => {
    try {
      const answer = await ask();
      const link = document.createElement("a");
      link.href = `${answer.clip}&from=${clip.start}&to=${clip.end}`;
      link.download = "";
      link.click();
    } catch (problem) {
      say(problem);
    }
  });
  part("channel").addEventListener("change", () => {
    const address = new URL(part("channel").dataset.page, location.href);
    address.searchParams.set("c", part("channel").value);
    location.href = address;
  });
  part("day").addEventListener("change", () => part("day").value && openDay(part("day").value));
  setInterval(() => archive?.timeline(origin, origin + DAY), 15000);
  addEventListener("pagehide", () => archive?.close());
  part("day").value = dayText(new Date());
  openDay(part("day").value);
}

if (box) start();
