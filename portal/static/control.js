// The buttons of the wall that reach to a camera: talk to it, move it.

import { words } from "./asking.js";
import { Pad } from "./ptz.js";
import { Talk } from "./talk.js";
import { tileOf } from "./tile.js";

const HELD = 400; // milliseconds; a shorter press begins a talk that the next one ends
const READ = 20000; // milliseconds for which a refusal stands over the picture
const ROOM = 190; // screen points of a picture's height that the pad takes
const PRESSES = [" ", "Enter"];

export class Control {
  constructor(wall, say) {
    Object.assign(this, { wall, say, talk: null, cell: null, pads: new Map() });
    wall.addEventListener("click", (event) => this.clicked(event));
    wall.addEventListener("pointerdown", ({ button, target }) => button || this.press(target));
    for (const type of ["pointerup", "pointercancel", "blur"]) addEventListener(type, () => this.release());
    wall.addEventListener("keydown", (event) => this.key(event, () => this.press(event.target)));
    wall.addEventListener("keyup", (event) => this.key(event, () => this.release()));
    wall.addEventListener("camera", ({ target }) => this.leave(target));
    addEventListener("pagehide", () => this.leave());
  }

  key(event, act) {
    if (!event.target.matches('[data-part="talk"]') || !PRESSES.includes(event.key)) return;
    event.preventDefault();
    if (!event.repeat) act();
  }

  address(cell, order) {
    return this.wall.dataset[order].replace("CHANNEL", encodeURIComponent(tileOf(cell).channel));
  }

  // --- talk -------------------------------------------------------------------------------------------

  press(target) {
    const button = target.closest('[data-part="talk"]');
    if (!button) return;
    if (this.talk) return this.talk.end();
    const cell = button.closest(".cell");
    const { channel, name } = tileOf(cell);
    if (!channel) return;
    Object.assign(this, { cell, pressed: performance.now() });
    this.talk = new Talk(this.address(cell, "talk"), this.wall.dataset.csrf, (...said) => this.heard(cell, name, ...said));
  }

  release() {
    if (this.pressed && performance.now() - this.pressed > HELD) this.talk?.end();
    this.pressed = 0;
  }

  heard(cell, name, state, problem, level = 0) {
    const box = cell.querySelector('[data-part="talking"]');
    const text = { asking: `Calling ${name} …`, talking: `You talk to ${name}` }[state] ?? (problem ? words(problem) : "");
    if (box.firstElementChild.textContent !== text) {
      box.firstElementChild.textContent = text;
      this.say(text || `You no longer talk to ${name}.`);
    }
    box.hidden = !text;
    box.dataset.state = state;
    box.querySelector("meter").value = level;
    cell.querySelector('[data-part="talk"]').setAttribute("aria-pressed", state !== "ended");
    if (state !== "ended") return;
    this.talk = null;
    if (text) setTimeout(() => this.forget(cell, text), READ);
  }

  /** Take away what was said of a talk that is over; of `text` alone, where that is given. */
  forget(cell, text) {
    const box = cell.querySelector('[data-part="talking"]');
    if (box.dataset.state !== "ended" || (text && box.firstElementChild.textContent !== text)) return;
    box.firstElementChild.textContent = "";
    box.hidden = true;
  }

  // --- move -------------------------------------------------------------------------------------------

  clicked({ target }) {
    const button = target.closest('[data-part="ptz"]');
    if (!button) return;
    const cell = button.closest(".cell");
    const open = !this.close(cell) && Boolean(tileOf(cell).channel);
    if (open) this.open(cell);
    button.setAttribute("aria-pressed", open);
    (open ? this.pads.get(cell).box : button).focus();
  }

  open(cell) {
    this.forget(cell);
    if (cell.clientHeight < ROOM && !cell.hasAttribute("data-large")) cell.querySelector('[data-part="large"]').click();
    this.pads.set(cell, new Pad(cell, this.address(cell, "ptz"), this.wall.dataset.csrf));
  }

  /** Whether there was a pad. */
  close(cell) {
    this.pads.get(cell)?.close();
    return this.pads.delete(cell);
  }

  /** What was begun for a camera ends with its picture; without `cell` all of it. */
  leave(cell) {
    if (this.talk && (!cell || this.cell === cell)) this.talk.end();
    for (const one of cell ? [cell] : [...this.pads.keys()]) {
      if (this.close(one)) one.querySelector('[data-part="ptz"]').setAttribute("aria-pressed", false);
    }
    if (cell) this.forget(cell);
  }
}
