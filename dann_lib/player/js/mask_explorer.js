// A mask on the spectrogram of a mixture: drawn, thresholded or ideal, heard and scored at once.

import { STYLE, button, choice, decibels, facts, group, slider, soundButtons } from "./controls.js";
import { countClipped, istft, largest, levelDb, magnitudes, makeWindow, sdrDb, stft, subtract } from "./dsp.js";
import { make } from "./page.js";
import { BOUNDS, IDEAL, applyMask } from "./masks.js";
import { BRUSH_STYLE, makeEdits, paintWith, rectangle } from "./mask_edits.js";
import { FREQUENCIES, grey, levelOf, makePicture, makeScale, mixColours, scaleBar, shownHz } from "./picture.js";
import { decimal } from "./plots.js";
import { decodeSamples } from "./sound.js";

const PART_NAMES = { both: "both parts", real: "the real part", imag: "the imaginary part" };
const BOUND_NAMES = { ratio: "0 to 1", signed: "−1 to 1", any: "any value" };
const IDEAL_NAMES = {
  binary: "binary: the loudest source takes all",
  ratio: "ratio: its share of the magnitudes",
  parts: "parts: true part / part of the mixture",
};
const PAINTS = { 0: "erase (0)", 1: "keep (1)", 0.5: "half (0.5)", "-1": "turn the sign (−1)", 2: "double (2)" };
const MIXTURE_VIEWS = {
  kept: "mixture, grey where erased", real: "mask on the real part", imag: "mask on the imaginary part",
};
const RESULT_VIEWS = { result: "the result", truth: "the true source", removed: "what was removed" };
const PLAY = { mixture: "Mixture", result: "Result", truth: "True source", removed: "What was removed" };
const MASK_LIMIT = 2;

/** Everything that follows from a mask: the result, what was removed, and equation (5). */
export function separate(song, mask, bound, truth) {
  const masked = applyMask(song.spectrogram, mask, BOUNDS[bound]);
  const result = istft(masked, song.window, song.mixture.length);
  return { masked, result, removed: subtract(song.mixture, result), sdrDb: sdrDb(result, truth) };
}

/** The mixture and its true stems with their spectrograms; what the sources leave of the mixture is one more stem. */
export function prepare(mixture, sources, length, hop) {
  const window = makeWindow("Hamming", length);
  const waveforms = Object.values(sources);
  const rest = waveforms.reduce((left, waveform) => subtract(left, waveform), mixture);
  return {
    mixture, sources, window,
    spectrogram: stft(mixture, window, hop),
    stems: [...waveforms, rest].map((waveform) => stft(waveform, window, hop)),
  };
}

async function render({ model, el }) {
  const settings = {
    parts: "both", bound: "ratio", paints: 0, brush: 16, kind: "ratio", view: "kept", lower: "result", maxHz: "1000",
    target: model.get("target"),
  };
  const app = await open(model);
  const edits = makeEdits(app.song.spectrogram, settings, update);
  const upper = makePicture("Spectrogram of the mixture; what the mask erases is grey");
  const lower = makePicture("Spectrogram of what the mask gives", 180);
  const numbers = facts("Level and score of the result");
  const note = make("p", { class: "dann-alert", role: "status" });
  const play = soundButtons(PLAY, heard, (position) => [upper, lower].forEach((each) => each.setCursor(position)));
  let state = null, asked = 0;

  function heard(key) {
    const given = { mixture: app.song.mixture, truth: app.song.sources[settings.target] };
    return [given[key] ?? state[key], app.rate];
  }

  function update() {
    asked ||= requestAnimationFrame(redraw);
  }

  function redraw() {
    asked = 0;
    const started = performance.now();
    const truth = app.song.sources[settings.target];
    state = separate(app.song, edits.mask, settings.bound, truth);
    upper.draw(app.upperScene(edits.mask, settings));
    lower.draw(app.lowerScene(settings.lower === "truth" ? truth : state[settings.lower], settings));
    numbers.show(numbersOf(app, settings, state, truth, edits.mask));
    note.textContent = clippingNote(state);
    controls.refresh();
    play.refresh();
    el.dataset.moveMs = (performance.now() - started).toFixed(1);
    el.dataset.sdrDb = String(state.sdrDb);
  }

  const controls = makeControls(model, app, settings, edits, update);
  paintWith(upper, edits, settings);
  el.append(controls.goal, controls.brush, controls.automatic, controls.rectangle, upper.element, controls.upper,
    play.element, note, numbers.element, lower.element, controls.lower,
    make("style", { text: STYLE + BRUSH_STYLE }));
  redraw();
  return play.close;
}

function makeControls(model, app, settings, edits, update) {
  const set = (name, convert = String) => (value) => {
    settings[name] = convert(value);
    update();
  };
  const pick = (label, options, name, convert) => choice(label, options, settings[name], set(name, convert));
  const names = Object.fromEntries(Object.keys(app.song.sources).map((name) => [name, name]));
  const undo = button("Undo", () => edits.undo());
  const levels = scaleBar(model.get("colours"), decibels(app.floorDb, 0), "0 dB");
  const values = scaleBar(model.get("mask_colours"), `−${MASK_LIMIT}`, `${MASK_LIMIT}`);
  return {
    goal: group("The source that is wanted", pick("True source", names, "target"),
      pick("Edits go to", PART_NAMES, "parts"), pick("Mask may be", BOUND_NAMES, "bound")),
    brush: group("Brush", pick("Paints", PAINTS, "paints", Number),
      slider("Size", { min: 4, max: 60, step: 1, value: settings.brush }, (value) => `${value} px`,
        set("brush", Number)),
      undo, button("All on", () => edits.fill(1)), button("All off", () => edits.fill(0))),
    automatic: group("Threshold and ideal mask",
      slider("Erase what is quieter than", { min: app.floorDb, max: 0, step: 1, value: app.floorDb },
        (value) => decibels(value, 0), (value) => edits.threshold(app.magnitude, app.peak * 10 ** (value / 20))),
      pick("Ideal mask", IDEAL_NAMES, "kind"),
      button("Take it", () => edits.take(app.ideal(settings.kind, settings.target)))),
    rectangle: rectangle(app, edits),
    upper: group("Upper picture", pick("Upper picture of", MIXTURE_VIEWS, "view"), pick("Frequencies", FREQUENCIES, "maxHz"),
      levels, values),
    lower: group("Lower picture", pick("Lower picture of", RESULT_VIEWS, "lower")),
    refresh() {
      undo.disabled = !edits.canUndo();
      levels.hidden = settings.view !== "kept";
      values.hidden = settings.view === "kept";
    },
  };
}

/** The sounds of the model, and what they look like. */
async function open(model) {
  const [rate, hop, length, nSamples] = ["rate", "hop", "n_fft", "n_samples"].map((name) => model.get(name));
  const floorDb = model.get("floor_db");
  const stored = model.get("sounds");
  const decoded = await Promise.all(stored.map(({ audio }) => decodeSamples(audio, rate, nSamples)));
  const [mixture, ...waveforms] = decoded;
  const sources = Object.fromEntries(waveforms.map((waveform, i) => [stored[i + 1].name, waveform]));
  const song = prepare(mixture, sources, length, hop);
  const magnitude = magnitudes(song.spectrogram), peak = largest(magnitude) || 1;
  const [scale, maskScale] = [makeScale(model.get("colours")), makeScale(model.get("mask_colours"))];
  const greys = scale.map(grey);
  const scene = {
    nFrames: song.spectrogram.nFrames, nBins: song.spectrogram.nBins, frameS: hop / rate, binHz: rate / length,
    durationS: nSamples / rate,
  };
  const clip = (value, [low, high]) => Math.min(high, Math.max(low, value));
  return {
    song, rate, floorDb, magnitude, peak, scene,
    ideal: (kind, target) => IDEAL[kind](song.stems, Object.keys(sources).indexOf(target), song.spectrogram),
    upperScene(mask, { view, bound, maxHz }) {
      const at = levelOf(magnitude, peak, floorDb), bounds = BOUNDS[bound];
      const strength = (place) => Math.min(1, Math.max(
        Math.abs(clip(mask.real[place], bounds)), Math.abs(clip(mask.imag[place], bounds))));
      const kept = (place) => mixColours(greys[at(place)], scale[at(place)], strength(place));
      const signed = (place) => {
        const value = clip(clip(mask[view][place], bounds), [-MASK_LIMIT, MASK_LIMIT]);
        return maskScale[Math.round((255 * (value + MASK_LIMIT)) / (2 * MASK_LIMIT))];
      };
      return { ...scene, maxHz: shownHz(maxHz, rate), magnitude, colour: view === "kept" ? kept : signed };
    },
    lowerScene(waveform, { maxHz }) {
      const values = magnitudes(stft(waveform, song.window, hop)), at = levelOf(values, peak, floorDb);
      return { ...scene, maxHz: shownHz(maxHz, rate), magnitude: values, colour: (place) => scale[at(place)] };
    },
  };
}

function numbersOf({ song, rate }, { target, bound }, { result, sdrDb: sdr }, truth, mask) {
  const before = sdrDb(song.mixture, truth), [low, high] = BOUNDS[bound];
  let erased = 0;
  for (let i = 0; i < mask.real.length; i++) {
    erased += (Math.min(high, Math.max(low, mask.real[i])) === 0) + (Math.min(high, Math.max(low, mask.imag[i])) === 0);
  }
  return {
    [`SDR for ${target}, these ${decimal(song.mixture.length / rate, 1)} s`]: decibels(sdr),
    "SDR of the mixture": decibels(before),
    "Better by": decibels(sdr - before),
    "Level, result": decibels(levelDb(result)),
    "Level, true source": decibels(levelDb(truth)),
    "Values erased": `${decimal((100 * erased) / (2 * mask.real.length))} %`,
  };
}

function clippingNote({ result, removed }) {
  const clipped = countClipped(result) + countClipped(removed);
  return clipped ? `${clipped} samples are beyond full scale: they are cut off there when played.` : "";
}

export default { render };
