// The cameras beside the wall: one by one into the marked picture, or as many as the wall has pictures.

import { tileOf } from "./tile.js";

const CLOSED = "dss-cameras-closed";

export class Cameras {
  constructor(arrangement, changed) {
    Object.assign(this, { arrangement, changed, from: null });
    this.list = document.getElementById("cameras");
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("li");
      if (row) arrangement.put(row.dataset.channel);
    });
    for (const [id, step] of [["fill", null], ["fill-back", -1], ["fill-on", 1]]) {
      document.getElementById(id).addEventListener("click", () => this.fill(step));
    }
    document.querySelector('[data-filters="cameras"]').addEventListener("input", () => this.offer((this.from = null)));
    this.keepOpen(document.getElementById("camera-side"));
  }

  /** The cameras that the search leaves. */
  found() {
    return [...this.list.children].filter((row) => !row.hidden);
  }

  /** Fill all pictures with the first of those cameras, or with the page before or after these. */
  fill(step) {
    const { cells } = this.arrangement;
    const found = this.found();
    this.from = step && this.from !== null ? Math.max(0, this.from + step * cells.length) : 0;
    cells.forEach((cell, index) => tileOf(cell).set(found[this.from + index]?.dataset.channel ?? ""));
    this.offer();
    this.changed();
  }

  offer() {
    const size = this.arrangement.cells.length;
    const count = this.found().length;
    document.getElementById("fill-back").disabled = !this.from;
    document.getElementById("fill-on").disabled = this.from === null || this.from + size >= count;
    if (this.from === null) return;
    const text = count ? `Cameras ${this.from + 1} to ${Math.min(count, this.from + size)} of ${count}.` : "No camera has that name.";
    document.getElementById("fill-said").textContent = text;
    this.arrangement.say(text);
  }

  keepOpen(side) {
    side.open = matchMedia("(min-width: 821px)").matches && !stored();
    side.addEventListener("toggle", () => store(!side.open));
  }
}

function stored() {
  try {
    return localStorage.getItem(CLOSED) === "1";
  } catch {
    return false; // without storage each visit begins with the list
  }
}

function store(closed) {
  try {
    if (closed) localStorage.setItem(CLOSED, "1");
    else localStorage.removeItem(CLOSED);
  } catch {
    // The choice cannot last beyond this page.
  }
}
