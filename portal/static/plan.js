// The week of a recording plan: hours are painted, and the text beside each day says the same to the minute.

const DAY = 1440;
const KINDS = ["event", "continuous"]; // what comes later counts
const box = document.getElementById("plan");
const rows = [...box.querySelectorAll("tr[data-day]")];
const cells = rows.map((row) => [...row.querySelectorAll(".plan-cell")]);
const field = (row, kind) => row.querySelector(`input[name^="${kind}-"]`);
const clock = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** The spans of a text; null where some of it is none. */
function spans(text) {
  const found = [];
  for (const part of text.split(",").map((one) => one.trim()).filter(Boolean)) {
    const match = /^(\d{1,2}):([0-5]\d)\s*(?:-|to)\s*(\d{1,2}):([0-5]\d)$/.exec(part);
    if (!match) return null;
    const [, h1, m1, h2, m2] = match.map(Number);
    const [start, end] = [h1 * 60 + m1, h2 * 60 + m2];
    if (start >= end || end > DAY) return null;
    found.push({ start, end });
  }
  return found;
}

/** What each minute of a day is; null while its text cannot be read. */
function minutes(row) {
  const found = new Array(DAY).fill("nothing");
  for (const kind of KINDS) {
    const read = spans(field(row, kind).value);
    field(row, kind).setAttribute("aria-invalid", String(read === null));
    if (read === null) return null;
    for (const { start, end } of read) found.fill(kind, start, end);
  }
  return found;
}

function text(day, kind) {
  const found = [];
  for (let start = 0; start < DAY; start += 1) {
    if (day[start] !== kind) continue;
    let end = start;
    while (end < DAY && day[end] === kind) end += 1;
    found.push(`${clock(start)}-${clock(end)}`);
    start = end;
  }
  return found.join(", ");
}

function show(row, number) {
  const day = minutes(row);
  if (!day) return;
  cells[number].forEach((cell, hour) => {
    const kinds = new Set(day.slice(hour * 60, hour * 60 + 60));
    const kind = kinds.size === 1 ? [...kinds][0] : "mixed";
    cell.className = `plan-cell ${kind}`;
    cell.setAttribute("aria-label", `${row.querySelector("th").textContent} ${clock(hour * 60)}, ${kind}`);
  });
}

function put(row, number, day) {
  for (const kind of KINDS) field(row, kind).value = text(day, kind);
  show(row, number);
}

function paint(cell) {
  const number = cells.findIndex((row) => row.includes(cell));
  const day = minutes(rows[number]);
  if (!day) return;
  const hour = cells[number].indexOf(cell);
  put(rows[number], number, day.fill(box.querySelector("[name=brush]:checked").value, hour * 60, hour * 60 + 60));
  box.querySelector("[name=mode][value=weekly]").checked = true;
}

function move(cell, event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const day = cells.findIndex((row) => row.includes(cell));
  const hour = cells[day].indexOf(cell);
  const ends = { Home: [day, 0], End: [day, 23] };
  const step = steps[event.key];
  const [to, at] = step ? [day + step[0], hour + step[1]] : (ends[event.key] ?? []);
  const next = cells[to]?.[at];
  if (!next) return;
  event.preventDefault();
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

rows.forEach((row, number) => {
  for (const kind of KINDS) field(row, kind).addEventListener("input", () => show(row, number));
});
const cellOf = (event) => event.target.closest?.(".plan-cell");
box.addEventListener("keydown", (event) => cellOf(event) && move(cellOf(event), event));
box.addEventListener("click", (event) => cellOf(event) && event.detail === 0 && paint(cellOf(event)));
box.addEventListener("pointerdown", (event) => {
  if (!cellOf(event) || event.button) return;
  event.target.releasePointerCapture?.(event.pointerId);
  paint(cellOf(event));
});
box.addEventListener("pointerover", (event) => event.buttons === 1 && cellOf(event) && paint(cellOf(event)));
document.getElementById("copy").addEventListener("click", () => {
  const day = minutes(rows[0]);
  if (day) rows.forEach((row, number) => put(row, number, day));
});
