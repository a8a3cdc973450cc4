// Waveforms and spectrograms of tracks that lie below each other: one scale for all, one column a pixel at most.

import { makeFft, makeWindow } from "./dsp.js";

const WINDOW_S = 2048 / 8820;
const TURN_MS = 12;

/** Lowest and highest sample behind each of `nColumns` columns: `[low, high, low, high, …]`. */
export function extremes(samples, nColumns) {
  const result = new Float32Array(2 * nColumns);
  for (let column = 0; column < nColumns; column++) {
    const first = Math.floor((column * samples.length) / nColumns);
    const end = Math.max(first + 1, Math.floor(((column + 1) * samples.length) / nColumns));
    let low = Infinity, high = -Infinity;
    for (let i = first; i < end && i < samples.length; i++) {
      if (samples[i] < low) low = samples[i];
      if (samples[i] > high) high = samples[i];
    }
    result[2 * column] = low;
    result[2 * column + 1] = high;
  }
  return result;
}

/** Draws a waveform; `peak` fills the height. */
export function drawWave(canvas, { samples, peak, fill }) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const range = extremes(samples, width);
  const toY = (value) => (height / 2) * (1 - (0.94 * value) / (peak || 1));
  context.clearRect(0, 0, width, height);
  context.fillStyle = fill;
  for (let x = 0; x < width; x++) {
    const top = toY(range[2 * x + 1]);
    context.fillRect(x, top, 1, Math.max(1, toY(range[2 * x]) - top));
  }
}

/**
 * Magnitudes of at most `nColumns` frames; gives way to the page every few milliseconds.
 *
 * @returns {Promise<{magnitude: Float32Array, nFrames: number, nBins: number}>} `frame * nBins + bin`, to `maxHz`
 */
export async function spectrum(samples, rate, maxHz, nColumns) {
  const length = 2 ** Math.round(Math.log2(WINDOW_S * rate));
  const hop = Math.max(length / 8, samples.length / nColumns);
  const nFrames = Math.max(1, Math.floor(samples.length / hop));
  const nBins = Math.min(length / 2, Math.ceil((maxHz * length) / rate)) + 1;
  const window = makeWindow("Hamming", length);
  const transform = makeFft(length);
  const [re, im] = [new Float64Array(length), new Float64Array(length)];
  const magnitude = new Float32Array(nFrames * nBins);
  let turn = performance.now();
  for (let frame = 0; frame < nFrames; frame += 2) {
    // Two real frames in one complex transform: its even part belongs to the first, its odd part to the second.
    const [first, second] = [frame, frame + 1].map((each) => Math.round((each + 0.5) * hop) - length / 2);
    for (let i = 0; i < length; i++) {
      re[i] = window[i] * (samples[first + i] ?? 0);
      im[i] = window[i] * (samples[second + i] ?? 0);
    }
    transform(re, im);
    for (let bin = 0; bin < nBins; bin++) {
      const mirror = (length - bin) & (length - 1);
      magnitude[frame * nBins + bin] = Math.hypot(re[bin] + re[mirror], im[bin] - im[mirror]) / 2;
      if (frame + 1 === nFrames) continue;
      magnitude[(frame + 1) * nBins + bin] = Math.hypot(im[bin] + im[mirror], re[mirror] - re[bin]) / 2;
    }
    if (performance.now() - turn > TURN_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      turn = performance.now();
    }
  }
  return { magnitude, nFrames, nBins };
}

/** Draws a spectrogram: `loudest` is the end of the scale, `floorDb` below it its start. */
export function drawSpectrum(canvas, { magnitude, nFrames, nBins }, loudest, floorDb, scale) {
  const { width, height } = canvas;
  const image = new ImageData(nFrames, height);
  const pixels = new Uint32Array(image.data.buffer);
  const step = (value) => {
    const share = 1 - (20 * Math.log10(value / loudest)) / floorDb;
    return scale[Math.round(255 * Math.min(1, Math.max(0, share)))];
  };
  for (let y = 0; y < height; y++) {
    const first = Math.floor(((height - 1 - y) * nBins) / height);
    const end = Math.max(first + 1, Math.floor(((height - y) * nBins) / height));
    for (let frame = 0; frame < nFrames; frame++) {
      let best = 0;
      for (let bin = first; bin < end; bin++) best = Math.max(best, magnitude[frame * nBins + bin]);
      pixels[y * nFrames + frame] = loudest > 0 ? step(best) : scale[0];
    }
  }
  const bitmap = new OffscreenCanvas(nFrames, height);
  bitmap.getContext("2d").putImageData(image, 0, 0);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
}
