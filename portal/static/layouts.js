// Layouts of the wall: saved under a name, opened by a link, removed after a question.

import { post, refuse } from "./asking.js";

export class Layouts {
  /** `tiles()` gives the wall as CHANNEL:STREAM for each picture; `kept(id)` hears what the wall is from now on. */
  constructor(wall, tiles, kept, say) {
    Object.assign(this, { wall, tiles, kept, say });
    this.place = document.getElementById("layouts");
    const save = document.getElementById("layout-form");
    const remove = document.getElementById("layout-remove-form");
    save.addEventListener("submit", (event) => this.send(event, save, this.written()));
    remove.addEventListener("submit", (event) => this.send(event, remove, new URLSearchParams({ opened: this.opened })));
    this.place.addEventListener("click", (event) => {
      const button = event.target.closest("[data-removes]");
      if (button) this.ask(remove, button);
      if (event.target.closest("[data-opens]")) refuse(save, "");
    });
  }

  get opened() {
    return this.place.firstElementChild.dataset.opened;
  }

  /** Say that the wall is no longer what was saved. */
  changed(yes = true) {
    this.place.querySelector('[data-part="changed"]').hidden = !(yes && this.opened);
  }

  written() {
    const form = new URLSearchParams({
      name: document.getElementById("layout-name").value,
      size: this.wall.dataset.size,
    });
    if (document.getElementById("layout-first").checked) form.set("first", "on");
    for (const tile of this.tiles()) form.append("c", tile);
    return form;
  }

  ask(form, button) {
    form.action = button.dataset.removes;
    form.querySelector('[data-part="name"]').textContent = button.dataset.name;
    refuse(form, "");
    form.closest("dialog").showModal();
  }

  async send(event, form, body) {
    event.preventDefault();
    const answer = await post(form, this.wall.dataset.csrf, body);
    if (!answer) return;
    this.take(await answer.text(), form.id === "layout-form");
    form.closest("dialog").close();
    this.place.querySelector("summary").focus();
  }

  /** The new menu of layouts, as the server wrote it. */
  take(text, saved) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const before = this.opened;
    const changed = !this.place.querySelector('[data-part="changed"]').hidden;
    this.place.replaceChildren(page.body.firstElementChild);
    this.changed(changed && !saved);
    if (saved || before !== this.opened) this.kept(this.opened);
    this.say(saved ? "The layout is saved." : "The layout is removed.");
  }
}
