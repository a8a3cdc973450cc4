// Pictures of sounds below each other: waveform or spectrogram, a cursor, a region that is repeated.

import { largest, magnitudes, makeWindow, stft } from "./dsp.js";
import { colour, make } from "./page.js";
import { makeScale } from "./picture.js";

const HEIGHT = 46;
const FLOOR_DB = -80;
const LENGTH = 512;

/**
 * @param {string} name of the track
 * @param {string[]} scale colours of a spectrogram from quiet to loud
 * @returns element, `draw(samples, view, peak)`; the pictures of a sound are drawn once for each width
 */
export function makeLane(name, scale) {
  const canvas = make("canvas", { "aria-hidden": "true", height: HEIGHT, style: `height:${HEIGHT}px` });
  const cursor = make("div", { class: "stems-cursor" });
  const region = make("div", { class: "stems-region", hidden: "" });
  const element = make("div", { class: "stems-lane", "data-lane": name }, canvas, region, cursor);
  const palette = makeScale(scale);
  return {
    element,
    draw(samples, view, peak) {
      const width = Math.max(1, Math.floor(canvas.clientWidth));
      [canvas.width, canvas.height] = [width, HEIGHT];
      if (view === "spectrogram") drawSpectrogram(canvas, samples, palette);
      else drawWaveform(canvas, samples, peak, colour(canvas, `--${name}`) || colour(canvas, "--accent"));
    },
    show(share, part) {
      cursor.style.left = `${100 * share}%`;
      region.hidden = !part;
      if (part) region.style.cssText = `left:${100 * part[0]}%;width:${100 * (part[1] - part[0])}%`;
    },
  };
}

function drawWaveform(canvas, samples, peak, ink) {
  const context = canvas.getContext("2d");
  context.fillStyle = ink;
  const middle = HEIGHT / 2, scale = middle / (peak || 1);
  for (let x = 0; x < canvas.width; x += 1) {
    const [first, end] = [x, x + 1].map((pixel) => Math.floor((pixel * samples.length) / canvas.width));
    let low = 0, high = 0;
    for (let i = first; i < end; i += 1) {
      if (samples[i] < low) low = samples[i];
      else if (samples[i] > high) high = samples[i];
    }
    context.fillRect(x, middle - high * scale, 1, Math.max(1, (high - low) * scale));
  }
}

/** One frame for each pixel, whatever the length of the sound; the lower half of the bins is most of what is seen. */
function drawSpectrogram(canvas, samples, palette) {
  const hop = Math.max(1, Math.floor(samples.length / canvas.width));
  const spectrum = stft(samples, makeWindow("Hann", LENGTH), hop);
  const magnitude = magnitudes(spectrum);
  const loudest = largest(magnitude) || 1;
  const image = new ImageData(canvas.width, HEIGHT);
  const pixels = new Uint32Array(image.data.buffer);
  for (let x = 0; x < canvas.width; x += 1) {
    const frame = Math.min(x, spectrum.nFrames - 1);
    for (let y = 0; y < HEIGHT; y += 1) {
      const bin = Math.round(((HEIGHT - 1 - y) / (HEIGHT - 1)) * (spectrum.nBins - 1));
      const db = 20 * Math.log10(magnitude[frame * spectrum.nBins + bin] / loudest + 1e-9);
      pixels[y * canvas.width + x] = palette[Math.round(255 * Math.max(0, 1 - db / FLOOR_DB))];
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
