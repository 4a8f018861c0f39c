// Whose turn it is to open a stream: a wall of 36 must not ask for 36 pictures in one moment, nor must it after
// the media service was away. A turn ends when the picture stands, when it was refused, or after a while.

const AT_ONCE = 4;
const PATIENCE = 2000; // milliseconds after which the next may begin, whatever became of this one

const queue = [];
let free = AT_ONCE;

function next() {
  while (free > 0 && queue.length) {
    const { wanted, begin } = queue.shift();
    if (wanted()) {
      free -= 1;
      begin(ending());
    } else begin(null);
  }
}

function ending() {
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    free += 1;
    next();
  };
  const timer = setTimeout(end, PATIENCE);
  return end;
}

/** Waits for a turn; resolves to what ends it, or to null when `wanted()` says no by then. */
export const turn = (wanted) =>
  new Promise((begin) => {
    queue.push({ wanted, begin });
    next();
  });
