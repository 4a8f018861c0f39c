// What every page needs beyond HTML: theme choice, menus, dialogs, quick jump, live rules of the password.
// No state of the platform is decided here; every answer comes from the server.

const every = (selector, root = document) => [...root.querySelectorAll(selector)];

// --- theme --------------------------------------------------------------------------------------------

function showTheme() {
  const choice = document.documentElement.dataset.choice;
  every("[data-theme]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.theme === choice)));
}

function chooseTheme(choice) {
  try {
    localStorage.setItem("dss-theme", choice);
  } catch {
    return; // without storage the choice cannot last beyond this page
  }
  dispatchEvent(new Event("dss:theme"));
  showTheme();
}

// --- menus and the side list --------------------------------------------------------------------------

function closeMenus(except) {
  every("details.menu[open]").forEach((menu) => {
    if (menu !== except) menu.open = false;
  });
}

function toggleSide(open) {
  const side = document.getElementById("side");
  const button = document.getElementById("side-button");
  if (!side || !button) return;
  const shown = open ?? !side.classList.contains("open");
  side.classList.toggle("open", shown);
  button.setAttribute("aria-expanded", String(shown));
}

// --- dialogs ------------------------------------------------------------------------------------------

function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog) return;
  every("input[data-type-to-confirm]", dialog).forEach((input) => {
    input.value = "";
    allowConfirm(input);
  });
  dialog.showModal();
}

function allowConfirm(input) {
  const button = input.form?.querySelector("[data-confirmed]");
  if (button) button.disabled = input.value.trim() !== input.dataset.typeToConfirm;
}

// --- quick jump ---------------------------------------------------------------------------------------

const jump = { entries: null, chosen: 0 };

async function openJump() {
  const dialog = document.getElementById("jump");
  if (!dialog || dialog.open) return;
  const input = dialog.querySelector("input");
  input.value = "";
  dialog.showModal();
  input.focus();
  if (!jump.entries) {
    const answer = await fetch(dialog.dataset.source, { headers: { Accept: "application/json" } });
    jump.entries = answer.ok ? (await answer.json()).entries : [];
  }
  drawJump(input.value);
}

function drawJump(text) {
  const list = document.getElementById("jump-list");
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (e) => words.every((w) => `${e.name} ${e.kind}`.toLowerCase().includes(w));
  const found = (jump.entries || []).filter(fits).slice(0, 30);
  jump.chosen = 0;
  list.replaceChildren(...found.map(jumpRow));
  document.getElementById("jump-none").hidden = found.length > 0;
  markJump();
}

function jumpRow(entry, index) {
  const row = document.createElement("li");
  row.id = `jump-${index}`;
  row.role = "option";
  row.dataset.href = entry.href;
  const kind = document.createElement("span");
  kind.textContent = entry.kind;
  row.append(entry.name, kind);
  row.addEventListener("click", () => location.assign(entry.href));
  return row;
}

function markJump() {
  const rows = every("#jump-list li");
  rows.forEach((row, i) => row.setAttribute("aria-selected", String(i === jump.chosen)));
  rows[jump.chosen]?.scrollIntoView({ block: "nearest" });
  document.getElementById("jump-text").setAttribute("aria-activedescendant", rows[jump.chosen]?.id ?? "");
}

function jumpKey(event) {
  const count = every("#jump-list li").length;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && count) {
    event.preventDefault();
    jump.chosen = (jump.chosen + step + count) % count;
    markJump();
  } else if (event.key === "Enter") {
    event.preventDefault();
    const row = every("#jump-list li")[jump.chosen];
    if (row) location.assign(row.dataset.href);
  }
}

// --- filters over a table or list that is already here ------------------------------------------------

function filterRows(input) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const table = document.getElementById(input.dataset.filters);
  let shown = 0;
  every("tbody tr, :scope > li", table).forEach((row) => {
    row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    shown += row.hidden ? 0 : 1;
  });
  const count = document.getElementById(`${input.dataset.filters}-count`);
  if (count) count.textContent = `${shown} shown`;
}

// --- fields that belong to a choice; password rules ---------------------------------------------------

function showChoice(select) {
  every(`[data-when="${select.name}"]`).forEach((part) => {
    const shown = part.dataset.is === select.value;
    part.hidden = !shown;
    every("input, select", part).forEach((field) => (field.disabled = !shown));
  });
}

let rulesTimer;

function checkRules(form) {
  clearTimeout(rulesTimer);
  rulesTimer = setTimeout(async () => {
    const list = form.querySelector("[data-rules]");
    // Nothing else of the form leaves the page before it is sent: it holds answers or a recovery code.
    const asked = new URLSearchParams(["csrf", "name", "password"].map((name) => [name, form.elements[name].value]));
    const answer = await fetch(list.dataset.rules, { method: "POST", body: asked });
    if (!answer.ok) return;
    const { broken, open, empty } = await answer.json();
    every("[data-rule]", list).forEach((rule) => {
      const name = rule.dataset.rule;
      rule.dataset.met = empty || open.includes(name) ? "" : broken.includes(name) ? "no" : "yes";
    });
  }, 200);
}

// --- text to take along -------------------------------------------------------------------------------

async function copyText(button) {
  const word = button.dataset.word ?? (button.dataset.word = button.textContent);
  const text = document.getElementById(button.dataset.copies).textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = button.dataset.done ?? "\u2713 " + word;
  } catch {
    // Without the right to the clipboard, the text is at least chosen: Ctrl+C takes it.
    getSelection().selectAllChildren(document.getElementById(button.dataset.copies));
  }
  setTimeout(() => (button.textContent = word), 2000);
}

// --- wiring -------------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest(selector);
  closeMenus(at("details.menu"));
  if (at("[data-theme]")) chooseTheme(at("[data-theme]").dataset.theme);
  if (at("#side-button")) toggleSide();
  else if (!at("#side")) toggleSide(false);
  if (at("[data-opens]")) openDialog(at("[data-opens]").dataset.opens);
  if (at("[data-closes]")) at("dialog")?.close();
  if (at("[data-jump]")) openJump();
  if (at("[data-copies]")) copyText(at("[data-copies]"));
  if (at("[data-prints]")) print();
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.matches("[data-filters]")) filterRows(field);
  if (field.matches("[data-type-to-confirm]")) allowConfirm(field);
  if (field.matches("#jump-text")) drawJump(field.value);
  if (/^(name|password)$/.test(field.name) && field.form?.querySelector("[data-rules]")) checkRules(field.form);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-choice]")) showChoice(event.target);
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openJump();
  } else if (event.key === "/" && !/^(input|textarea|select)$/i.test(event.target.tagName)) {
    const filter = document.querySelector("[data-filters]");
    if (filter) event.preventDefault();
    filter?.focus();
  } else if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    closeMenus();
    menu?.querySelector("summary").focus();
    toggleSide(false);
  } else if (event.target.id === "jump-text") {
    jumpKey(event);
  }
});

// --- pages that refresh themselves --------------------------------------------------------------------

function fresh(yes) {
  const banner = document.getElementById("lost");
  if (banner) banner.hidden = yes;
}

// A page nobody looks at asks for nothing.
document.addEventListener("htmx:before:request", (event) => {
  const polls = event.target.getAttribute?.("hx-trigger")?.includes("every");
  if (polls && document.hidden) event.preventDefault();
});
// While the portal cannot answer, nginx does: its page must not replace a part of ours, and old figures must not
// look fresh.
document.addEventListener("htmx:before:response", (event) => {
  const works = event.detail.ctx.response.status < 500;
  fresh(works);
  if (!works) event.preventDefault();
});
document.addEventListener("htmx:error", () => fresh(false));

every("[data-choice]").forEach(showChoice);
showTheme();
