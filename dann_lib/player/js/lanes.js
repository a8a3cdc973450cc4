// Waveforms and spectrograms of tracks that lie below each other: one scale for all, one column a pixel at most.

import { magnitudes, makeWindow, stft } from "./dsp.js";

const WINDOW_S = 2048 / 8820;
const FRAMES_AT_A_TIME = 16;

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

/** A scene (`picture.js`) without colours, of at most `nColumns` frames; gives way to the page again and again. */
export async function spectrum(samples, rate, maxHz, nColumns) {
  const length = 2 ** Math.round(Math.log2(WINDOW_S * rate));
  const hop = Math.ceil(Math.max(length / 8, samples.length / nColumns));
  const nFrames = Math.max(1, Math.floor(samples.length / hop)), nBins = length / 2 + 1;
  const window = makeWindow("Hamming", length);
  const magnitude = new Float32Array(nFrames * nBins);
  for (let frame = 0; frame < nFrames; frame += FRAMES_AT_A_TIME) {
    const count = Math.min(FRAMES_AT_A_TIME, nFrames - frame);
    magnitude.set(magnitudes(stft(samples, window, hop, frame, count)), frame * nBins);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { magnitude, nFrames, nBins, frameS: hop / rate, binHz: rate / length, durationS: samples.length / rate, maxHz };
}
