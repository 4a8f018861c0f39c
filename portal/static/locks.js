// Locks the span that is marked for a clip. The page tells it as data attributes, and changes as an event.

const box = document.getElementById("playback");
const button = document.getElementById("lock");
const marked = () => [box.dataset.clipFrom, box.dataset.clipTo].map((text) => (text ? Number(text) : null));

function follow() {
  const [from, to] = marked();
  button.disabled = from === null || to === null;
}

async function lock() {
  const [start, end] = marked();
  const note = document.getElementById("lock-note");
  const said = document.getElementById("lock-said");
  button.disabled = true;
  try {
    const answer = await fetch(button.dataset.action.replace("CHANNEL", box.dataset.channel), {
      method: "POST",
      headers: { "X-CSRF-Token": box.dataset.csrf, Accept: "application/json" },
      body: new URLSearchParams({ start, end, note: note.value }),
    });
    const told = await answer.json().catch(() => ({}));
    said.textContent = answer.ok ? "Locked: nothing of this span is deleted." : `${told.what ?? "It was not locked."} ${told.why ?? ""}`;
    if (answer.ok) note.value = "";
  } catch {
    said.textContent = "It was not locked: the portal cannot be reached.";
  }
  follow();
}

if (box && button) {
  box.addEventListener("playback:change", follow);
  button.addEventListener("click", lock);
  follow();
}
