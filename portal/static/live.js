// The wall of live pictures. What it shows stands in the address, so that it can be bookmarked; what a person saves
// under a name stands on the server.

import { Arrangement, wide } from "./arrange.js";
import { Cameras } from "./cameras.js";
import { Control } from "./control.js";
import { Layouts } from "./layouts.js";
import { Tile, tileOf } from "./tile.js";

const wall = document.getElementById("wall");

function say(text) {
  document.getElementById("wall-said").textContent = text;
}

const written = () =>
  [...wall.children].map(tileOf).map(({ channel, choice }) => {
    return channel && choice !== "auto" ? `${channel}:${choice}` : channel;
  });

/** The address of the wall as it is; cameras that a smaller wall has no place for stay at its end. */
function address() {
  const here = new URL(location.href);
  const more = here.searchParams.getAll("c").slice(wall.children.length);
  here.searchParams.delete("c");
  here.searchParams.set("size", wall.dataset.size);
  for (const tile of [...written(), ...more]) here.searchParams.append("c", tile);
  return here;
}

function linkSizes() {
  document.querySelectorAll("[data-wall-size]").forEach((link) => {
    const other = address();
    other.searchParams.set("size", link.dataset.wallSize);
    link.href = other;
  });
}

function start() {
  const listed = document.getElementById("channel-options").content.children;
  const options = new Map([...listed].map((option) => [option.value, option]));
  const tiles = [...wall.children].map((cell) => new Tile(cell, options, say));
  const layouts = new Layouts(wall, written, keep, say);
  const changed = () => {
    const here = address();
    if (layouts.opened) here.searchParams.set("layout", layouts.opened);
    history.replaceState(null, "", here);
    layouts.changed();
    linkSizes();
  };
  const arrangement = new Arrangement(wall, changed, say);
  tileOf(arrangement.marked).fill();
  new Cameras(arrangement, changed);
  new Control(wall, say);
  listen(changed);
  watch(tiles);
  linkSizes();
}

/** The wall is what is saved under this id, or under none. */
function keep(id) {
  const here = id ? new URL(location.pathname, location.href) : address();
  here.searchParams.delete("layout");
  if (id) here.searchParams.set("layout", id);
  history.replaceState(null, "", here);
  linkSizes();
}

function listen(changed) {
  for (const type of ["focusin", "pointerover", "pointerdown"]) {
    wall.addEventListener(type, ({ target }) => target.matches('[data-part="channel"]') && tileOf(target).fill());
  }
  wall.addEventListener("change", (event) => {
    tileOf(event.target).refresh();
    changed();
  });
  wall.addEventListener("click", (event) => {
    if (event.target.closest('[data-part="snapshot"]')) tileOf(event.target).snapshot();
    if (event.target.closest('[data-part="sound"]')) tileOf(event.target).listen();
    if (event.target.closest('[data-part="fast"]')) tileOf(event.target).hasten();
    if (event.target.closest('[data-part="wide"]')) wide(event.target.closest(".cell"));
  });
  document.getElementById("wall-wide").addEventListener("click", () => wide(wall));
}

/** Streams run for what can be seen: not on a hidden page, not for a picture scrolled out or behind a large one. */
function watch(tiles) {
  const inView = new Map();
  const look = (tile) => tile.look(inView.get(tile.cell) && !document.hidden);
  const sight = new IntersectionObserver((seen) => {
    for (const one of seen) {
      if (inView.get(one.target) === one.isIntersecting) continue;
      inView.set(one.target, one.isIntersecting);
      look(tileOf(one.target));
    }
  }, { rootMargin: "120px" });
  const size = new ResizeObserver((seen) => seen.forEach((one) => tileOf(one.target).resized(one.contentRect.width)));
  for (const { cell } of tiles) {
    sight.observe(cell);
    size.observe(cell);
  }
  document.addEventListener("visibilitychange", () => tiles.forEach(look));
  addEventListener("pagehide", () => tiles.forEach((tile) => tile.close()));
  setInterval(() => tiles.forEach((tile) => tile.tell()), 500);
}

if (wall) start();
