// Copying, saving and printing recovery codes. They stay in the page: nothing is sent or stored.

const list = document.getElementById("codes");
const texts = () => [...list.querySelectorAll("code")].map((code) => code.textContent);
const say = (text) => (document.getElementById("codes-done").textContent = text);

async function copy() {
  try {
    await navigator.clipboard.writeText(texts().join("\n"));
    say("Copied.");
  } catch {
    say("The browser does not allow it. Download or print them instead.");
  }
}

function download() {
  const head = `Recovery codes, ${list.dataset.site}. Each works once.`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${head}\n\n${texts().join("\n")}\n`], { type: "text/plain" }));
  link.download = "recovery-codes.txt";
  link.click();
  URL.revokeObjectURL(link.href);
  say("Downloaded.");
}

const ways = { copy, download, print: () => window.print() };

document.getElementById("tools").hidden = false;
document.addEventListener("click", (event) => ways[event.target.closest("[data-codes]")?.dataset.codes]?.());
