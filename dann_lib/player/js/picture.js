// A spectrogram on a canvas, with axes and a moving cursor: at most one pixel of work per pixel of the page.

import { colour, make, onTheme } from "./page.js";
import { ticks } from "./plots.js";

/** Upper ends of a frequency axis to choose from. */
export const FREQUENCIES = {
  all: "all", 4000: "up to 4 kHz", 2000: "up to 2 kHz", 1000: "up to 1 kHz", 500: "up to 500 Hz",
};

/** The upper end in Hz of the axis that was chosen, at a sample rate. */
export const shownHz = (chosen, rate) => Math.min(rate / 2, chosen === "all" ? Infinity : Number(chosen));

const MARGIN = { left: 44, right: 8, top: 6, bottom: 20 };

const pixel = (r, g, b) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/** Colours of a scale, `#rrggbb` from low to high, as 256 pixels of a canvas. */
export function makeScale(colours) {
  const anchors = colours.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(place), anchors.length - 2);
    const [r, g, b] = anchors[low].map((value, k) => Math.round(value + (place - low) * (anchors[low + 1][k] - value)));
    return pixel(r, g, b);
  });
}

/** Which of the 256 colours a place of `magnitude` has: `peak` is the end of the scale, `floorDb` below it its start. */
export const levelOf = (magnitude, peak, floorDb) => (place) => (
  Math.max(0, Math.min(255, Math.round(255 * (1 - (20 * Math.log10(magnitude[place] / peak)) / floorDb)) || 0)));

/** A colour without its hue, as bright as it seems to the eye. */
export function grey(value) {
  const [r, g, b] = [value & 255, (value >> 8) & 255, (value >> 16) & 255];
  const level = Math.round(0.3 * r + 0.59 * g + 0.11 * b);
  return pixel(level, level, level);
}

export function mixColours(from, to, share) {
  const channel = (shift) => Math.round(
    ((from >> shift) & 255) * (1 - share) + ((to >> shift) & 255) * share);
  return pixel(channel(0), channel(8), channel(16));
}

/** The colours of a scale with its two ends in writing. */
export function scaleBar(colours, low, high) {
  const bar = make("span", { class: "dann-scale", style: `background: linear-gradient(to right, ${colours.join()})` });
  return make("span", { class: "dann-quiet" }, `${low} `, bar, ` ${high}`);
}

/**
 * @param {string} label what the picture shows
 * @param {number} height of the plot in CSS pixels
 * @returns element, canvas, `draw(scene)`, `setCursor(s)`, `place(event)`
 *
 * A scene is { magnitude, nFrames, nBins, frameS, binHz, durationS, maxHz, colour(place) }: `magnitude` decides
 * which place a pixel shows where it covers several (the loudest), `colour` what it looks like.
 */
export function makePicture(label, height = 230) {
  const canvas = make("canvas", { role: "img", "aria-label": label });
  const cursor = make("div", { class: "dann-cursor", hidden: "" });
  const element = make("div", { class: "dann-picture" }, canvas, cursor);
  let scene = null, plot = { width: 1, height };

  function draw(next = scene) {
    scene = next;
    if (!scene || !canvas.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    plot = { width: canvas.clientWidth - MARGIN.left - MARGIN.right, height };
    canvas.style.height = `${height + MARGIN.top + MARGIN.bottom}px`;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round((height + MARGIN.top + MARGIN.bottom) * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = false;
    context.drawImage(paint(scene, Math.max(1, plot.width), height), MARGIN.left, MARGIN.top, plot.width, height);
    drawAxes(context, canvas, scene, plot);
  }

  new ResizeObserver(() => draw()).observe(canvas);
  onTheme(() => draw());
  return {
    element,
    canvas,
    draw,
    setCursor(seconds) {
      cursor.hidden = seconds === null;
      if (seconds === null || !scene) return;
      cursor.style.height = `${height}px`;
      const x = MARGIN.left + (seconds / scene.durationS) * plot.width;
      cursor.style.transform = `translate(${x}px, ${MARGIN.top}px)`;
    },
    /** Frame and bin under a pointer, not rounded, and frames and bins per pixel. */
    place(event) {
      const box = canvas.getBoundingClientRect();
      const framesPerPixel = scene.durationS / scene.frameS / plot.width;
      const binsPerPixel = scene.maxHz / scene.binHz / height;
      return {
        frame: (event.clientX - box.left - MARGIN.left) * framesPerPixel,
        bin: (MARGIN.top + height - (event.clientY - box.top)) * binsPerPixel,
        framesPerPixel,
        binsPerPixel,
      };
    },
  };
}

/** The scene as a canvas of its own, without axes. */
export function paint(scene, width, height) {
  const { magnitude, nFrames, nBins } = scene;
  const image = new ImageData(Math.round(width), height);
  const pixels = new Uint32Array(image.data.buffer);
  const columns = ranges(image.width, scene.durationS / scene.frameS, nFrames);
  const rows = ranges(height, scene.maxHz / scene.binHz, nBins);
  const loudest = new Uint32Array(nBins);
  for (let x = 0; x < image.width; x++) {
    const [firstFrame, endFrame] = columns[x];
    if (x > 0 && firstFrame === columns[x - 1][0] && endFrame === columns[x - 1][1]) {
      for (let y = 0; y < height; y++) pixels[y * image.width + x] = pixels[y * image.width + x - 1];
      continue;
    }
    for (let bin = rows[0][0]; bin < rows[height - 1][1]; bin++) {
      let best = firstFrame * nBins + bin;
      for (let frame = firstFrame + 1; frame < endFrame; frame++) {
        const place = frame * nBins + bin;
        if (magnitude[place] > magnitude[best]) best = place;
      }
      loudest[bin] = best;
    }
    for (let y = 0; y < height; y++) {
      let best = loudest[rows[y][0]];
      for (let bin = rows[y][0] + 1; bin < rows[y][1]; bin++) {
        if (magnitude[loudest[bin]] > magnitude[best]) best = loudest[bin];
      }
      pixels[(height - 1 - y) * image.width + x] = scene.colour(best);
    }
  }
  const bitmap = make("canvas", { width: image.width, height });
  bitmap.getContext("2d").putImageData(image, 0, 0);
  return bitmap;
}

/** First and end of the cells that each of `nPixels` shows, `span` cells in all; a cell is centred on its number. */
function ranges(nPixels, span, nCells) {
  return Array.from({ length: nPixels }, (_, i) => {
    const first = Math.min(nCells - 1, Math.round((i * span) / nPixels));
    const end = Math.min(nCells, Math.round(((i + 1) * span) / nPixels));
    return [first, Math.max(first + 1, end)];
  });
}

function drawAxes(context, canvas, scene, plot) {
  context.fillStyle = colour(canvas, "--quiet");
  context.strokeStyle = colour(canvas, "--line");
  context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "right";
  const unit = scene.maxHz >= 2000 ? 1000 : 1;
  for (const hz of ticks(0, scene.maxHz, plot.height / 40)) {
    const y = MARGIN.top + plot.height * (1 - hz / scene.maxHz);
    context.fillText(Number((hz / unit).toPrecision(6)), MARGIN.left - 5, Math.max(MARGIN.top + 6, y));
    line(context, MARGIN.left - 3, y, MARGIN.left, y);
  }
  context.textAlign = "left";
  context.fillText(unit === 1000 ? "kHz" : "Hz", 2, MARGIN.top + plot.height + 11);
  context.textAlign = "center";
  for (const second of ticks(0, scene.durationS, plot.width / 90)) {
    const x = MARGIN.left + (plot.width * second) / scene.durationS;
    const text = second === 0 ? "0 s" : String(Number(second.toPrecision(6)));
    context.fillText(text, Math.min(x, MARGIN.left + plot.width - 8), MARGIN.top + plot.height + 11);
    line(context, x, MARGIN.top + plot.height, x, MARGIN.top + plot.height + 3);
  }
}

function line(context, ...[x0, y0, x1, y1]) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
