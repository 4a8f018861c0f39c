// Bookmarks of the channels that are shown: flags on the bar, a list, and the two questions about them.

import { post, refuse } from "./asking.js";
import { momentText } from "./moments.js";

export class Bookmarks {
  constructor(box, desk, say) {
    Object.assign(this, { box, desk, say, kept: [], asked: null });
    this.form = document.getElementById("bookmark-form");
    this.drop = document.getElementById("bookmark-drop-form");
    this.form.addEventListener("submit", (event) => this.send(event, this.form, this.written()));
    this.drop.addEventListener("submit", (event) => this.send(event, this.drop, new URLSearchParams()));
    document.getElementById("bookmark").addEventListener("click", () => this.ask());
    desk.marks = (channel) => this.kept.filter((one) => one.channel === channel);
  }

  /** Learn those of other channels than before; `again` of the same too. */
  async follow(again) {
    const channels = [...new Set(this.desk.screens.map(({ channel }) => channel).filter(Boolean))];
    const key = channels.join();
    if (key === this.asked && !again) return undefined;
    this.asked = key;
    const address = new URL(this.box.dataset.bookmarks, location.href);
    for (const channel of channels) address.searchParams.append("c", channel);
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (key !== this.asked) return undefined;
    if (!answer?.ok) return this.say("The bookmarks cannot be read. Open the page again.");
    const found = await answer.json();
    if (JSON.stringify(found) === JSON.stringify(this.kept)) return undefined;
    this.kept = found;
    this.show();
    return undefined;
  }

  show() {
    this.kept.sort((one, other) => one.at - other.at);
    document.getElementById("bookmarks-list").replaceChildren(...this.kept.map((one) => this.row(one)));
    document.getElementById("bookmarks-none").hidden = this.kept.length > 0;
    document.getElementById("bookmarks-count").textContent = this.kept.length || "";
    this.desk.show();
  }

  row(one) {
    const name = this.desk.screens.find(({ channel }) => channel === one.channel)?.name ?? "";
    const go = button("btn btn-sm", momentText(one.at), () => this.desk.seek(one.at));
    go.setAttribute("aria-label", `Show ${one.name}, ${momentText(one.at)}`);
    const text = document.createElement("span");
    text.textContent = one.name;
    const more = document.createElement("span");
    more.className = "soft small grow";
    more.textContent = `${name}, by ${one.by}`;
    const made = document.createElement("li");
    made.append(go, text, more);
    const { account, manages } = this.box.dataset;
    if (one.by === account || manages !== undefined) {
      const away = button("btn btn-sm btn-grave", "Remove", () => this.askDrop(one));
      away.setAttribute("aria-label", `Remove ${one.name}`);
      made.append(away);
    }
    return made;
  }

  // --- questions --------------------------------------------------------------------------------------

  ask() {
    const { marked, now, head } = this.desk;
    if (!marked.channel) return this.say("Choose a camera first.");
    if (head.playing) this.desk.toggle();
    this.wanted = { channel: marked.channel, at: Math.round(now) };
    this.open(this.form, { channel: marked.name, at: momentText(now) });
    document.getElementById("bookmark-name").value = "";
    return undefined;
  }

  askDrop(one) {
    this.drop.action = this.drop.dataset.action.replace("ID", one.id);
    this.gone = one.id;
    this.open(this.drop, { name: one.name });
  }

  open(form, texts) {
    for (const [part, text] of Object.entries(texts)) form.querySelector(`[data-part="${part}"]`).textContent = text;
    refuse(form, "");
    form.closest("dialog").showModal();
  }

  written() {
    return new URLSearchParams({ ...this.wanted, name: document.getElementById("bookmark-name").value });
  }

  async send(event, form, body) {
    event.preventDefault();
    const answer = await post(form, this.box.dataset.csrf, body);
    if (!answer) return;
    const found = answer.status === 204 ? null : await answer.json();
    this.kept = found ? [...this.kept, found] : this.kept.filter(({ id }) => id !== this.gone);
    this.show();
    form.closest("dialog").close();
    this.say(found ? "The bookmark is set." : "The bookmark is removed.");
  }
}

function button(look, text, does) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className: look, textContent: text });
  made.addEventListener("click", does);
  return made;
}
