// The wall of live pictures: which camera stands in which cell, and what each cell says about itself.
// The choice stands in the address, so that a wall can be bookmarked.

import { Player } from "./player.js";

const wall = document.getElementById("wall");
const token = wall.dataset.csrf;
const players = new Map();

const part = (cell, name) => cell.querySelector(`[data-part="${name}"]`);

/** Ask the server for the right to watch; its refusals come back as {what, why, remedy}. */
async function ask(channel, stream) {
  let answer;
  try {
    const address = wall.dataset.open.replace("CHANNEL", encodeURIComponent(channel));
    answer = await fetch(`${address}?stream=${stream}`, {
      method: "POST",
      headers: { "X-CSRF-Token": token, Accept: "application/json" },
    });
  } catch {
    throw { what: "The server cannot be reached.", why: "", remedy: "It is tried again by itself." };
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  const final = answer.status >= 400 && answer.status < 500 && answer.status !== 409;
  throw { what: body.what ?? "The picture was refused.", why: body.why ?? "", remedy: body.remedy ?? "", final };
}

const WORDS = { connecting: "Connecting …", waiting: "Connecting again …", stopped: "", playing: "" };

function show(cell, state, problem) {
  const box = part(cell, "message");
  const title = document.createElement("b");
  title.textContent = problem?.what ?? WORDS[state] ?? "";
  const rest = document.createElement("span");
  rest.textContent = [problem?.why, problem?.remedy].filter(Boolean).join(" ");
  box.replaceChildren(title, rest);
  box.hidden = state === "playing" || (state === "stopped" && !problem);
  part(cell, "snapshot").disabled = state !== "playing";
}

function start(cell) {
  players.get(cell)?.close();
  players.delete(cell);
  const channel = part(cell, "channel").value;
  const stream = part(cell, "stream").value;
  const old = part(cell, "video");
  const video = old.cloneNode(false); // counts and errors of the last camera end with its element
  for (const name of Object.keys(video.dataset)) if (name !== "part") delete video.dataset[name];
  video.removeAttribute("src");
  old.replaceWith(video);
  video.dataset.channel = channel;
  part(cell, "idle").hidden = Boolean(channel);
  part(cell, "age").textContent = "";
  show(cell, "stopped");
  if (!channel) return;
  players.set(cell, new Player(video, () => ask(channel, stream), (state, problem) => show(cell, state, problem)));
}

function remember() {
  const address = new URL(location.href);
  address.searchParams.delete("c");
  for (const cell of wall.children) {
    const channel = part(cell, "channel").value;
    address.searchParams.append("c", channel && `${channel}:${part(cell, "stream").value}`);
  }
  history.replaceState(null, "", address);
  document.querySelectorAll("[data-wall-size]").forEach((link) => {
    const other = new URL(address);
    other.searchParams.set("size", link.dataset.wallSize);
    link.href = other;
  });
}

function describeAge(video) {
  const age = Number(video.dataset.ageMs ?? 0) / 1000;
  if (video.dataset.state === "playing") return age < 2 ? "live" : `last frame ${age.toFixed(0)} s ago`;
  return video.dataset.state === "waiting" && video.dataset.frames > 0 ? "picture stands still" : "";
}

function snapshot(cell) {
  const video = part(cell, "video");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    const name = part(cell, "channel").selectedOptions[0].textContent.trim();
    link.download = `${name} ${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
    link.href = URL.createObjectURL(blob);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/jpeg", 0.92);
}

wall.addEventListener("change", (event) => {
  if (!event.target.matches("select")) return;
  start(event.target.closest(".cell"));
  remember();
});
wall.addEventListener("click", (event) => {
  const cell = event.target.closest(".cell");
  if (event.target.closest('[data-part="snapshot"]')) snapshot(cell);
  if (event.target.closest('[data-part="wide"]')) {
    if (document.fullscreenElement) document.exitFullscreen();
    else cell.requestFullscreen?.();
  }
});
addEventListener("pagehide", () => players.forEach((player) => player.close()));
setInterval(() => {
  for (const cell of wall.children) {
    const text = describeAge(part(cell, "video"));
    if (part(cell, "age").textContent !== text) part(cell, "age").textContent = text;
  }
}, 500);

for (const cell of wall.children) start(cell);
remember();
