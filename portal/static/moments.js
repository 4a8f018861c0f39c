// Moments (milliseconds since 1970) as people read them, in the browser's time zone. A day is from midnight to
// midnight, whether it has 23, 24 or 25 hours; marks stand at moments that were, and say where the clocks changed.

const HOUR = 3600000;
const FINE = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((seconds) => seconds * 1000);
const COARSE = [2, 3, 6, 12, 24];

const two = (number) => String(number).padStart(2, "0");

/** Midnight to midnight of the day, `days` later, that a moment lies in. */
export function dayOf(moment, days = 0) {
  const date = new Date(moment);
  const begin = (more) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days + more).getTime();
  return { from: begin(0), to: begin(1) };
}

export function dayText(moment) {
  const date = new Date(moment);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The day that a date field names; null while it names none. */
export function dayNamed(text) {
  const [year, month, day] = text.split("-").map(Number);
  const begin = new Date(year, month - 1, day).getTime();
  return Number.isNaN(begin) ? null : dayOf(begin);
}

export function zoneText(moment) {
  const minutes = -new Date(moment).getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `UTC${minutes < 0 ? "\u2212" : "+"}${hours}${rest ? `:${two(rest)}` : ""}`;
}

export function clockText(moment) {
  const date = new Date(moment);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** With the day, and with the zone on a day that has two. */
export function momentText(moment) {
  const { from, to } = dayOf(moment);
  const zone = zoneText(from) === zoneText(to - 1) ? "" : ` ${zoneText(moment)}`;
  return `${dayText(moment)} ${clockText(moment)}${zone}`;
}

/** What is special about a day, "" for one of 24 hours. */
export function dayNote({ from, to }) {
  const hours = (to - from) / HOUR;
  return hours === 24 ? "" : `This day has ${hours} hours: the clocks change.`;
}

/** At most about `most` marks between two moments: [{at, text}]. */
export function marks(from, to, most) {
  const fine = FINE.find((step) => (to - from) / step <= most);
  const hours = fine ? 0 : COARSE.find((count) => (to - from) / HOUR / count <= most) ?? 24;
  const found = [];
  for (let day = dayOf(from); day.from < to; day = dayOf(day.from, 1)) {
    found.push(...inDay(day, Math.max(from, day.from), Math.min(to, day.to), fine ?? HOUR, hours));
  }
  return named(found, from);
}

/** Hours are counted as they pass, so that one which the clocks skip is not there and one they repeat is twice. */
function inDay(day, from, to, step, hours) {
  const found = [];
  for (let at = day.from + Math.ceil((from - day.from) / step) * step; at < to; at += step) {
    if (!hours || new Date(at).getHours() % hours === 0) found.push(at);
  }
  return found;
}

function named(found, from) {
  let zone = zoneText(from);
  return found.map((at) => {
    const here = zoneText(at);
    const changed = here !== zone;
    zone = here;
    const clock = clockText(at);
    const text = clock === "00:00:00" ? dayText(at).slice(5) : clock.endsWith(":00") ? clock.slice(0, 5) : clock;
    return { at, text: changed ? `${text} ${here}` : text };
  });
}
