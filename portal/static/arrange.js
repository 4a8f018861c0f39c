// Where things stand on the wall: the marked picture, moving by keyboard, by drag and by two clicks, one made large.

import { tileOf } from "./tile.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: "up", ArrowDown: "down" };

const HOLDS = '.cell-pad, [data-part="talk"]'; // what is held must not become a drag when the hand moves

export class Arrangement {
  /** `changed()` hears that the wall is another one; `say(text)` reaches screen readers. */
  constructor(wall, changed, say) {
    Object.assign(this, { wall, changed, say, dragged: null, picked: null });
    this.mark(this.cells.find((cell) => !tileOf(cell).channel) ?? this.cells[0]);
    wall.addEventListener("focusin", (event) => this.mark(event.target.closest(".cell")));
    wall.addEventListener("pointerdown", (event) => this.mark(event.target.closest(".cell")));
    wall.addEventListener("click", (event) => this.onClick(event), true);
    wall.addEventListener("keydown", (event) => this.onKey(event));
    wall.addEventListener("dblclick", (event) => {
      if (!event.target.closest(".cell-top")) this.enlarge(event.target.closest(".cell"));
    });
    this.listenToDrags();
  }

  get cells() {
    return [...this.wall.children];
  }

  /** The picture that cameras go into; Tab reaches it and its buttons alone. */
  mark(cell) {
    if (!cell || cell === this.marked) return;
    this.marked = cell;
    for (const one of this.cells) {
      one.tabIndex = one === cell ? 0 : -1;
      one.toggleAttribute("data-marked", one === cell);
      for (const control of one.querySelectorAll("select, button")) control.tabIndex = one === cell ? 0 : -1;
    }
  }

  /** Put a camera into the marked picture, and mark the next one that is empty. */
  put(channel) {
    const tile = tileOf(this.marked);
    tile.set(channel);
    this.say(`${tile.name} is picture ${this.cells.indexOf(this.marked) + 1}.`);
    const at = this.cells.indexOf(this.marked);
    const after = [...this.cells.slice(at), ...this.cells.slice(0, at)];
    this.mark(after.find((cell) => !tileOf(cell).channel));
    this.changed();
  }

  // --- moving -----------------------------------------------------------------------------------------

  neighbour(cell, key) {
    const columns = getComputedStyle(this.wall).gridTemplateColumns.split(" ").length;
    const at = this.cells.indexOf(cell);
    const step = { up: -columns, down: columns }[STEPS[key]] ?? STEPS[key];
    return this.cells[at + step];
  }

  swap(cell, other) {
    const { wall } = this;
    const place = (one, before) => (wall.moveBefore ? wall.moveBefore(one, before) : wall.insertBefore(one, before));
    const mark = document.createComment("");
    wall.insertBefore(mark, cell);
    place(cell, other);
    place(other, mark);
    mark.remove();
    for (const one of [cell, other]) tileOf(one).goOn();
    this.number();
    this.tellPlace(cell);
    this.changed();
  }

  tellPlace(cell) {
    const name = tileOf(cell).name || "The empty picture";
    this.say(`${name} is now picture ${this.cells.indexOf(cell) + 1} of ${this.cells.length}.`);
  }

  /** Labels name the place, not the camera, so they stay when cameras go. */
  number() {
    this.cells.forEach((cell, index) => {
      for (const part of [cell, ...cell.querySelectorAll("[aria-label]")]) {
        part.setAttribute("aria-label", part.getAttribute("aria-label").replace(/\d+/, index + 1));
      }
    });
  }

  pick(cell) {
    this.picked?.removeAttribute("data-picked");
    this.picked = this.picked === cell ? null : cell;
    this.picked?.setAttribute("data-picked", "");
    for (const one of this.cells) tileOf(one).part("move").setAttribute("aria-pressed", String(one === this.picked));
    if (this.picked) this.say("Choose the new place: click a picture, or use the arrow keys and then Escape.");
  }

  drop() {
    if (this.picked) this.pick(this.picked);
  }

  // --- large ------------------------------------------------------------------------------------------

  enlarge(cell) {
    const on = !cell.hasAttribute("data-large");
    for (const one of this.cells) {
      one.toggleAttribute("data-large", on && one === cell);
      tileOf(one).part("large").setAttribute("aria-pressed", String(on && one === cell));
    }
    this.wall.toggleAttribute("data-one", on);
    this.say(on ? `Picture ${this.cells.indexOf(cell) + 1} is large.` : "All pictures.");
  }

  // --- clicks, keys, drags ----------------------------------------------------------------------------

  onClick(event) {
    const cell = event.target.closest(".cell");
    if (this.picked && cell && cell !== this.picked) {
      event.preventDefault();
      event.stopPropagation();
      this.swap(this.picked, cell);
      this.drop();
    } else if (event.target.closest('[data-part="move"]')) this.pick(cell);
    else if (event.target.closest('[data-part="large"]')) this.enlarge(cell);
  }

  onKey(event) {
    const cell = event.target.closest(".cell");
    if (event.key === "Escape") return this.leave();
    const moves = event.target === cell || (this.picked && event.target.matches("button"));
    if (!moves || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) this.step(cell, event);
    else if (event.target === cell) this.command(cell, event);
  }

  step(cell, event) {
    event.preventDefault();
    const other = this.wall.hasAttribute("data-one") ? null : this.neighbour(cell, event.key);
    if (!other) return;
    if (!event.shiftKey && !this.picked) return other.focus();
    const held = document.activeElement;
    this.swap(cell, other);
    held.focus();
  }

  command(cell, event) {
    const tile = tileOf(cell);
    const does = {
      Enter: () => this.enlarge(cell),
      s: () => tile.part("snapshot").disabled || tile.snapshot(),
      l: () => tile.part("fast").hidden || tile.hasten(),
      m: () => tile.part("sound").disabled || tile.listen(),
      f: () => wide(cell),
      Delete: () => this.empty(tile),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!does) return;
    event.preventDefault();
    does();
  }

  empty(tile) {
    tile.set("");
    this.say("The picture is empty.");
    this.changed();
  }

  leave() {
    this.drop();
    const large = this.cells.find((cell) => cell.hasAttribute("data-large"));
    if (large && !document.fullscreenElement) this.enlarge(large);
  }

  listenToDrags() {
    addEventListener("pointerdown", ({ target }) => (this.held = target), true);
    addEventListener("dragstart", (event) => this.onDrag(event));
    addEventListener("dragend", () => this.over(null, (this.dragged = null)));
    this.wall.addEventListener("dragover", (event) => {
      if (!this.dragged) return;
      event.preventDefault();
      this.over(event.target.closest(".cell"));
    });
    this.wall.addEventListener("drop", (event) => this.onDrop(event));
  }

  onDrag(event) {
    const from = event.target.closest?.(".cell, [data-channel]");
    if (!from || !(from.matches(".cell") || from.draggable)) return;
    if (from.contains(this.held) && this.held.closest(HOLDS)) return event.preventDefault();
    this.dragged = from;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", ""); // without data Firefox drags nothing
  }

  onDrop(event) {
    const cell = event.target.closest(".cell");
    if (!this.dragged || !cell) return;
    event.preventDefault();
    if (!this.dragged.matches(".cell")) {
      this.mark(cell);
      this.put(this.dragged.dataset.channel);
    } else if (this.dragged !== cell) this.swap(this.dragged, cell);
  }

  over(cell) {
    for (const one of this.cells) one.toggleAttribute("data-over", one === cell && one !== this.dragged);
  }
}

/** Full screen, and back. */
export function wide(element) {
  if (document.fullscreenElement) document.exitFullscreen();
  else element.requestFullscreen?.();
}
