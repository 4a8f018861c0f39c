// The dialog that orders an export. On the playback page the marked clip, or what is shown, is its span.

import { post, refuse } from "./asking.js";

const form = document.getElementById("export-form");
const MINUTE = 60000;

/** A moment as a field for local time takes it, to the second. */
function written(moment) {
  const local = new Date(moment - new Date(moment).getTimezoneOffset() * MINUTE);
  return local.toISOString().slice(0, 19);
}

/** The span to begin with: what is marked, else a minute around what is shown, else the last ten minutes. */
function suggested() {
  const { clipFrom, clipTo, at } = document.getElementById("playback")?.dataset ?? {};
  if (clipFrom && clipTo) return [Math.floor(clipFrom / 1000) * 1000, Math.ceil(clipTo / 1000) * 1000];
  const shown = Number(at);
  if (shown) return [shown - MINUTE / 2, shown + MINUTE / 2];
  return [Date.now() - 10 * MINUTE, Date.now()];
}

async function send(event) {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  for (const end of ["start", "end"]) body.set(end, new Date(form.elements[`export-${end}`].value).getTime());
  const answer = await post(form, form.dataset.csrf, body);
  if (answer) location.assign((await answer.json()).href);
}

document.addEventListener("click", (event) => {
  if (!event.target.closest('[data-opens="export-order"]')) return;
  refuse(form, "");
  const channels = document.getElementById("playback")?.dataset.channels.split(",");
  if (channels) for (const tick of form.querySelectorAll('[name="c"]')) tick.checked = channels.includes(tick.value);
  suggested().forEach((moment, n) => (form.elements[["export-start", "export-end"][n]].value = written(moment)));
});
form.addEventListener("submit", send);
