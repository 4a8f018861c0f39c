// Why something is missing of a recording, and what becomes of it, in words. Only what DSS_SS knows is said.

const REASONS = {
  camera: ["No picture came from the camera", "camera away"],
  relay: ["The relay (DSS_MTS) was away", "relay away"],
  disk: ["No disk took recordings", "disk full or failed"],
  recorder: ["The recorder (DSS_SS) was away", "recorder away"],
  node: ["The recorder (DSS_SS) was away", "server restarted"],
  clock: ["The clock was set over this time", "clock set"],
  plan: ["Nothing was planned", "not planned"],
  gone: ["It was recorded, and is no longer kept", "no longer kept"],
};
const UNKNOWN = ["Why is not known", "not known"];
const LEAST = 1000; // milliseconds that are worth a word

const wordsOf = ({ reason }) => REASONS[reason] ?? UNKNOWN;
const ended = (text) => (text && !/[.!?]$/.test(text) ? `${text}.` : text ?? "");

/** Which sort of line a gap is: planned, failed, or neither is known. */
export function sortOf({ reason }) {
  if (reason === "plan") return "plan";
  return ["camera", "relay", "disk", "recorder", "node"].includes(reason) ? "failed" : "";
}

export function gapAt(gaps, moment) {
  return gaps.find(({ start, end }) => start <= moment && moment < end);
}

/** Whether something is fetched into it, now or soon. */
export const owes = ({ fetch }) => Boolean(fetch && fetch.state !== "stays");

/** Up to where that is done, milliseconds since 1970. */
export const reached = ({ start, end, fetch }) => Math.max(start, Math.min(end, end - fetch.seconds * 1000));

/** In sentences. */
export function gapText(gap) {
  return [ended(wordsOf(gap)[0]), ended(gap.detail), gap.fetch ? fetchText(gap.fetch) : ""].filter(Boolean).join(" ");
}

function fetchText({ state, done, seconds, part, why }) {
  const storage = "from the camera’s own storage";
  if (state === "stays") return `${part ? `A part was fetched ${storage}; the rest stays` : `It could not be fetched ${storage}`}: ${ended(why)}`;
  if (state === "fetching") return `It is being fetched ${storage}: ${Math.floor(done * 100)} %, ${lasting(seconds * 1000)} to go.`;
  return `It will be fetched ${storage}, ${lasting(seconds * 1000)} to go.${why ? ` Last time: ${ended(why)}` : ""}`;
}

/** What is missing of a span by reason, longest first; nothing of what was never to be there. */
export function missing(gaps, from, to) {
  const sums = new Map();
  for (const gap of gaps) {
    const time = Math.min(gap.end, to) - Math.max(gap.start, from);
    const never = gap.reason === "plan" || (!sortOf(gap) && (gap.start <= from || gap.end >= to));
    if (time > 0 && !never) sums.set(wordsOf(gap)[1], (sums.get(wordsOf(gap)[1]) ?? 0) + time);
  }
  const found = [...sums].filter(([, time]) => time >= LEAST).sort(([, one], [, other]) => other - one);
  return found.length ? `Missing: ${found.map(([word, time]) => `${lasting(time)} ${word}`).join(", ")}.` : "";
}

export function lasting(time) {
  const minutes = Math.round(time / 60000);
  if (time < 120000) return `${Math.round(time / 1000)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
