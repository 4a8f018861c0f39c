// Locks the span that is marked for a clip. The page tells it as data attributes, and changes as an event.

import { post } from "./asking.js";

const box = document.getElementById("playback");
const form = document.getElementById("lock-form");

function follow() {
  document.getElementById("lock").disabled = !(box.dataset.clipFrom && box.dataset.clipTo);
}

async function lock(event) {
  event.preventDefault();
  const { channel, csrf, clipFrom: start, clipTo: end } = box.dataset;
  const note = document.getElementById("lock-note");
  const said = document.getElementById("lock-said");
  said.textContent = "";
  form.action = form.dataset.action.replace("CHANNEL", encodeURIComponent(channel));
  if (!(await post(form, csrf, new URLSearchParams({ start, end, note: note.value })))) return;
  said.textContent = "Locked: nothing of this span is deleted.";
  note.value = "";
}

if (form) {
  box.addEventListener("playback:change", follow);
  form.addEventListener("submit", lock);
  follow();
}
