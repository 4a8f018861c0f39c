// When each picture of a recorded group is shown, read from the fragments in the layout of services/mts/fmp4.py:
// an optional prft box, moof (100 bytes, 104 with a presentation offset), mdat. Fragments of sound are passed over.

const PRFT = 0x70726674;
const MOOF = 0x6d6f6f66;
const FREE = 0x66726565;
const SHIFTED = 104;
const PICTURE = 1; // the track

/** Milliseconds from the origin of the group's times, in the order of showing. */
export function times(data, timescale) {
  const view = new DataView(data);
  const found = [];
  for (let at = 0; at + 100 < view.byteLength; ) {
    if (view.getUint32(at + 4) === FREE) {
      at += Math.max(8, view.getUint32(at));
      continue;
    }
    const moof = at + (view.getUint32(at + 4) === PRFT ? view.getUint32(at) : 0);
    const size = view.getUint32(moof);
    if (view.getUint32(moof + 4) !== MOOF) break; // of a release that writes others
    const shift = size === SHIFTED ? view.getInt32(moof + 100) : 0;
    if (view.getUint32(moof + 44) === PICTURE) found.push(((Number(view.getBigUint64(moof + 60)) + shift) / timescale) * 1000);
    at = moof + size + view.getUint32(moof + size);
  }
  return found.sort((one, other) => one - other);
}
