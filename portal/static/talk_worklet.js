// From the microphone's samples to G.711 of 8 kHz, in the audio thread: low-pass, resample, encode, frames of 40 ms.

const RATE = 8000;
const FRAME = 320;
const PHASES = 64; // places between two samples that the filter knows
const LOBES = 8; // of the filter on each side, in samples of 8 kHz
const CUT = 0.425; // of 8 kHz: 3.4 kHz

/** A windowed sinc for each phase, `taps` long, with a sum of 1. */
function filters(ratio, taps) {
  return Array.from({ length: PHASES }, (_, phase) => {
    const row = Float32Array.from({ length: taps }, (_, n) => {
      const x = (n - taps / 2 + 1 - phase / PHASES) / ratio;
      const sinc = x === 0 ? 2 * CUT : Math.sin(2 * Math.PI * CUT * x) / (Math.PI * x);
      return Math.abs(x) > LOBES ? 0 : sinc * (0.54 + 0.46 * Math.cos((Math.PI * x) / LOBES));
    });
    const sum = row.reduce((all, one) => all + one, 0);
    return row.map((one) => one / sum);
  });
}

/** ITU-T G.711, µ-law. */
function mulaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const size = Math.min(Math.abs(sample), 32635) + 132;
  const exponent = 31 - Math.clz32(size) - 7;
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 15)) & 0xff;
}

/** ITU-T G.711, A-law. */
function alaw(sample) {
  const sign = sample < 0 ? 0 : 0x80;
  const size = Math.min(sample < 0 ? -sample - 1 : sample, 32767) >> 3;
  const exponent = Math.max(0, 31 - Math.clz32(size) - 4);
  const mantissa = (exponent > 1 ? size >> exponent : size >> 1) & 15;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

class Voice extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.encode = processorOptions.codec === "PCMA" ? alaw : mulaw;
    this.ratio = sampleRate / RATE;
    this.taps = 2 * Math.ceil(LOBES * this.ratio);
    this.filters = filters(this.ratio, this.taps);
    this.kept = new Float32Array(0);
    this.at = 0; // where the next sample begins in `kept`
    this.frame = new Uint8Array(FRAME);
    this.filled = this.loudest = 0;
  }

  process([input]) {
    if (!input[0]) return true;
    const all = new Float32Array(this.kept.length + input[0].length);
    all.set(this.kept);
    all.set(input[0], this.kept.length);
    for (; Math.floor(this.at) + this.taps + 1 < all.length; this.at += this.ratio) this.take(all);
    const used = Math.floor(this.at);
    this.kept = all.slice(used);
    this.at -= used;
    return true;
  }

  take(all) {
    const start = Math.floor(this.at);
    const row = this.filters[Math.floor((this.at - start) * PHASES)];
    let sum = 0;
    for (let n = 0; n < row.length; n += 1) sum += row[n] * all[start + n];
    this.loudest = Math.max(this.loudest, Math.abs(sum));
    this.frame[this.filled] = this.encode(Math.round(Math.max(-1, Math.min(1, sum)) * 32767));
    this.filled += 1;
    if (this.filled < FRAME) return;
    this.port.postMessage({ sound: this.frame, level: this.loudest });
    this.filled = this.loudest = 0;
  }
}

registerProcessor("voice", Voice);
