// The pad that moves a camera. A move goes on while a button or key is held; the node ends it when nothing is heard.

import { permission, words } from "./asking.js";

const AGAIN = 1000; // milliseconds; the node waits for 2500
const OTHERWISE = { what: "The camera was not moved.", remedy: "Try again." };
const MAIN = 0; // the button of a mouse, or a touch
const KEYS = {
  ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right", "+": "zoom-in", "-": "zoom-out",
};

export class Pad {
  /** A pad in `cell`, for a camera whose orders go to `address`. */
  constructor(cell, address, csrf) {
    Object.assign(this, { cell, address, csrf, sending: Promise.resolve(), waiting: 0 });
    this.box = document.getElementById("ptz-pad").content.firstElementChild.cloneNode(true);
    cell.append(this.box);
    this.listen();
    this.look();
  }

  part(name) {
    return this.box.querySelector(`[data-pad="${name}"]`);
  }

  listen() {
    const { box } = this;
    for (const type of ["click", "dblclick", "keydown"]) box.addEventListener(type, (event) => event.stopPropagation());
    box.addEventListener("pointerdown", ({ button, target }) => {
      if (button === MAIN) this.hold(target.closest("[data-code]")?.dataset.code);
    });
    for (const type of ["pointerup", "pointercancel", "lostpointercapture", "pointerleave"]) {
      box.addEventListener(type, () => this.free());
    }
    // A press moves the focus within the pad, and must go on.
    box.addEventListener("focusout", ({ relatedTarget }) => box.contains(relatedTarget) || this.free());
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("keyup", () => this.free());
    box.addEventListener("contextmenu", (event) => event.preventDefault());
    this.gone = () => this.free();
    addEventListener("blur", this.gone);
    this.part("presets").addEventListener("change", ({ target }) => (this.part("preset").value = target.value));
    this.part("go").addEventListener("click", () => this.preset("go"));
    this.part("save").addEventListener("click", () => this.preset("save"));
    this.part("close").addEventListener("click", () => this.leave());
  }

  key(event) {
    if (event.key === "Escape") return this.leave();
    if (!event.target.matches("button, .cell-pad")) return;
    const pressed = [" ", "Enter"].includes(event.key) ? event.target.dataset.code : KEYS[event.key];
    if (!pressed) return;
    event.preventDefault();
    if (!event.repeat) this.hold(pressed);
  }

  leave() {
    this.cell.querySelector('[data-part="ptz"]').click();
  }

  hold(code) {
    if (!code) return;
    this.free();
    const go = () => this.order({ do: "move", code, speed: Number(this.part("speed").value) });
    this.again = setInterval(() => this.waiting || go(), AGAIN);
    go();
  }

  free() {
    if (!this.again) return;
    clearInterval(this.again);
    this.again = null;
    this.order({ do: "stop" });
  }

  async preset(what) {
    const number = Number(this.part("preset").value);
    if (await this.order({ do: what, preset: number })) {
      this.say(what === "save" ? `Preset ${number} is saved.` : "");
      if (what === "save") this.look();
    }
  }

  /** Orders go one behind the other, so that no stop overtakes its move. */
  order(asked) {
    this.waiting += 1;
    const done = this.sending.then(() => this.send(asked));
    this.sending = done.finally(() => (this.waiting -= 1));
    return done;
  }

  async send(asked) {
    try {
      const answer = await permission(this.address, this.csrf, OTHERWISE, JSON.stringify(asked));
      if (asked.do === "move") this.say("");
      return answer;
    } catch (problem) {
      this.say(words(problem));
      return null;
    }
  }

  /** What the camera says of itself: its presets, or why it cannot be moved. */
  async look() {
    const answer = await fetch(this.address, { headers: { Accept: "application/json" } }).catch(() => null);
    const found = await answer?.json().catch(() => null);
    if (!answer?.ok) {
      this.box.dataset.unable = "";
      return this.say(words(found ?? { what: "The server cannot be reached.", remedy: "Try again." }));
    }
    const [list, number] = [this.part("presets"), this.part("preset")];
    list.replaceChildren(...found.presets.map(({ id, name }) => new Option(name, id)));
    list.hidden = !list.length;
    if (list.length && !found.presets.some(({ id }) => String(id) === number.value)) number.value = list.value;
    list.value = number.value;
  }

  say(text) {
    this.part("said").textContent = text;
  }

  close() {
    this.free();
    removeEventListener("blur", this.gone);
    this.box.remove();
  }
}
