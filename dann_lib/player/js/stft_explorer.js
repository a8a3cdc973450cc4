// The short-time Fourier transform to try out: window, length, overlap, sample rate, and what is kept of it.

import { STYLE, choice, decibels, facts, group, slider, soundButtons } from "./controls.js";
import {
  WINDOWS, countClipped, decimate, energy, interpolate, istft, largest, levelDb, loudestThreshold, magnitudes,
  makeWindow, stft, subtract,
} from "./dsp.js";
import { make } from "./page.js";
import { FREQUENCIES, levelOf, makePicture, makeScale, scaleBar, shownHz } from "./picture.js";
import { decimal } from "./plots.js";
import { decodeSamples } from "./sound.js";

const LENGTHS = [256, 512, 1024, 2048, 4096, 8192];
const OVERLAPS = { 0.75: "75 %", 0.5: "50 %", 0.25: "25 %", 0: "none", "-0.25": "gaps of 25 %" };
const KEEP = {
  all: "everything",
  zero: "magnitude, phase zero",
  random: "magnitude, random phase",
  real: "the real part",
  imag: "the imaginary part",
  loudest: "the loudest places",
};
const SHOW = { kept: "what is kept", result: "the resynthesis", lost: "what is lost" };
const PLAY = { original: "Original", result: "Resynthesis", lost: "What is lost" };
const MADE = { tone: "a tone of 440 Hz", tones: "two tones 10 Hz apart", clicks: "clicks" };

/** What is left of a transform (`dsp.js`), in the same form; `share` (0 to 1) is for the loudest places. */
function keepOf(spectrogram, kind, share) {
  const { real, imag } = spectrogram;
  const silent = () => new Float32Array(real.length);
  if (kind === "real") return { ...spectrogram, imag: silent() };
  if (kind === "imag") return { ...spectrogram, real: silent() };
  if (kind === "zero") return { ...spectrogram, real: magnitudes(spectrogram), imag: silent() };
  if (kind === "random") {
    const angle = randomAngles(real.length), magnitude = magnitudes(spectrogram);
    return {
      ...spectrogram,
      real: magnitude.map((value, i) => value * Math.cos(angle[i])),
      imag: magnitude.map((value, i) => value * Math.sin(angle[i])),
    };
  }
  if (kind === "loudest") {
    const magnitude = magnitudes(spectrogram), least = loudestThreshold(magnitude, share);
    const keep = (values) => values.map((value, i) => (magnitude[i] >= least ? value : 0));
    return { ...spectrogram, real: keep(real), imag: keep(imag) };
  }
  return spectrogram;
}

/** The way of a sound there and back, with its numbers; `original` is at `rate`, `settings` as in the panel. */
function analyse(original, rate, settings) {
  const factor = Math.round(rate / settings.rate);
  const waveform = decimate(original, factor);
  const window = makeWindow(settings.window, settings.length);
  const hop = Math.round(settings.length * (1 - settings.overlap));
  const whole = stft(waveform, window, hop);
  const kept = keepOf(whole, settings.keep, settings.share);
  const result = istft(kept, window, waveform.length);
  const back = settings.keep === "all" ? result : istft(whole, window, waveform.length);
  const errorDb = 10 * Math.log10(energy(subtract(waveform, back)) / energy(waveform));
  return { factor, waveform, whole, kept, result, errorDb, window, hop };
}

/** Angles between 0 and 2 pi, the same each time (a linear congruential generator, Numerical Recipes' constants). */
function randomAngles(count) {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 * Math.PI;
  });
}

async function render({ model, el }) {
  const rate = model.get("rate"), colours = makeScale(model.get("colours")), floorDb = model.get("floor_db");
  const sounds = await loadSounds(model.get("sounds"), rate);
  const settings = {
    sound: Object.keys(sounds)[0], rate, window: "Hamming", length: 2048, overlap: 0.5, keep: "all", share: 0.03,
    show: "kept", maxHz: "all",
  };
  const picture = makePicture("Spectrogram: time across, frequency up, brighter is louder");
  const numbers = facts("Numbers of this transform");
  const note = make("p", { class: "dann-alert", role: "status" });
  const play = soundButtons(PLAY, heard, picture.setCursor);
  let state = null;

  function heard(key) {
    if (key === "result") return [state.result, settings.rate];
    return [key === "original" ? sounds[settings.sound] : state.lost, rate];
  }

  function update() {
    const started = performance.now();
    const original = sounds[settings.sound];
    state = analyse(original, rate, settings);
    const result = interpolate(state.result, state.factor).subarray(0, original.length);
    state.lost = subtract(original, result);
    picture.draw(sceneOf(state, settings, colours, floorDb));
    numbers.show(numbersOf(state, settings, original));
    note.textContent = warning(state, settings);
    play.refresh();
    el.dataset.moveMs = (performance.now() - started).toFixed(1);
  }

  const controls = makeControls(model, settings, Object.keys(sounds), update);
  el.append(controls.transform, controls.keep, picture.element, controls.picture, play.element,
    note, numbers.element, make("style", { text: STYLE }));
  update();
  return play.close;
}

function makeControls(model, settings, sounds, update) {
  const set = (name, convert = String) => (value) => {
    settings[name] = convert(value);
    share.hidden = settings.keep !== "loudest";
    update();
  };
  const namesOf = (names, text = (name) => name) => Object.fromEntries(names.map((name) => [name, text(name)]));
  const pick = (label, options, name, convert) => choice(label, options, settings[name], set(name, convert));
  const share = slider(
    "Share kept", { min: 0.1, max: 20, step: 0.1, value: settings.share * 100 }, (value) => `${decimal(value)} %`,
    set("share", (value) => value / 100));
  share.hidden = settings.keep !== "loudest";
  return {
    transform: group("Sound and transform", pick("Sound", namesOf(sounds), "sound"),
      pick("Sample rate", namesOf(model.get("rates"), (hz) => `${decimal(hz / 1000, 2)} kHz`), "rate", Number),
      pick("Window", namesOf(Object.keys(WINDOWS)), "window"),
      pick("Length", namesOf(LENGTHS, (length) => `${length} samples`), "length", Number),
      pick("Overlap", OVERLAPS, "overlap", Number)),
    keep: group("What the sound is made from again", pick("Keep", KEEP, "keep"), share),
    picture: group("Picture", pick("Picture of", SHOW, "show"), pick("Frequencies", FREQUENCIES, "maxHz"),
      scaleBar(model.get("colours"), decibels(model.get("floor_db"), 0), "0 dB")),
  };
}

async function loadSounds(stored, rate) {
  const decoded = await Promise.all(
    stored.map(async ({ name, audio, n_samples: n }) => [name, await decodeSamples(audio, rate, n)]));
  const length = Math.max(...stored.map((sound) => sound.n_samples));
  const made = {
    [MADE.tone]: (i) => 0.3 * Math.sin((2 * Math.PI * 440 * i) / rate),
    [MADE.tones]: (i) => 0.15 * (Math.sin((2 * Math.PI * 440 * i) / rate) + Math.sin((2 * Math.PI * 450 * i) / rate)),
    [MADE.clicks]: (i) => (i % Math.round(rate / 2) === Math.round(rate / 4) ? 0.8 : 0),
  };
  const synthetic = Object.entries(made).map(([name, at]) => [name, Float32Array.from({ length }, (_, i) => at(i))]);
  return Object.fromEntries([...decoded, ...synthetic]);
}

function sceneOf(state, settings, colours, floorDb) {
  const { whole, window, hop, factor } = state;
  const shown = {
    kept: () => state.kept,
    result: () => stft(state.result, window, hop),
    lost: () => stft(decimate(state.lost, factor), window, hop),
  }[settings.show]();
  const magnitude = magnitudes(shown), level = levelOf(magnitude, largest(magnitudes(whole)) || 1, floorDb);
  return {
    magnitude,
    nFrames: whole.nFrames,
    nBins: whole.nBins,
    frameS: hop / settings.rate,
    binHz: settings.rate / settings.length,
    durationS: state.waveform.length / settings.rate,
    maxHz: shownHz(settings.maxHz, settings.rate),
    colour: (place) => colours[level(place)],
  };
}

function numbersOf(state, settings, original) {
  const { rate, length } = settings, { whole, waveform } = state;
  const nValues = 2 * whole.nFrames * whole.nBins;
  return {
    "Bins apart": `${decimal(rate / length, 2)} Hz`,
    "Window lasts": `${decimal((1000 * length) / rate)} ms`,
    "Frames apart": `${decimal((1000 * state.hop) / rate)} ms`,
    "Frames × bins": `${whole.nFrames} × ${whole.nBins}`,
    "Values": nValues.toLocaleString("en-GB"),
    "Values a sample": decimal(nValues / waveform.length, 2),
    "Error there and back": decibels(state.errorDb, 0),
    "Level, original": decibels(levelDb(original)),
    "Level, resynthesis": decibels(levelDb(state.result)),
    "Level, what is lost": decibels(levelDb(state.lost)),
  };
}

function warning(state, settings) {
  const words = [];
  if (state.errorDb > -60) {
    words.push(settings.overlap < 0
      ? "There are samples between the frames that no frame looks at: they are lost."
      : "The window is zero where frames meet: samples there are lost.");
  }
  const clipped = countClipped(state.result) + countClipped(state.lost);
  if (clipped) words.push(`${clipped} samples are beyond full scale: they are cut off there when played.`);
  return words.join(" ");
}

export default { render };
