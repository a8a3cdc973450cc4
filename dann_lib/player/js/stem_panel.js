// What the stem player looks like: controls, a ruler, and a row for each source.

import { drawWave, extremes, spectrum } from "./lanes.js";
import { colour, make, onTheme } from "./page.js";
import { levelOf, makeScale, paint } from "./picture.js";

const DRAG_PX = 6;
const HEIGHT_PX = { waveform: 48, spectrogram: 96 };

const icon = (path) => (
  `<svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true"><path d="${path}"/></svg>`);

const ICONS = { play: icon("M5 2.5v15l12.5-7.5z"), pause: icon("M4 3h4v14H4zM12 3h4v14h-4z") };

const HINTS = "All tracks play at their own levels, and all pictures share one scale. Without a solo you hear "
  + "the sources together; the mixture is heard when it is soloed. Click into a picture to go there, drag to loop.";

/** Keys and what they do, for `nVariants` versions. */
const HELP = (nVariants) => [
  ["space", "play and pause"],
  ...(nVariants > 1 ? [[[..."ABCDEFGH"].slice(0, nVariants).join(" "), "versions, at the same place"]] : []),
  ["0 … 9", "solo a row; with Shift: mute it"],
  ["← →", "1 s back or on; with Shift: 5 s"],
  ["Home", "to the start"],
  ["L", "loop on and off"],
  ["I O", "the loop starts, ends here"],
  ["S", "waveforms or spectrograms"],
];

const STYLE = `
.stems-head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 16px; }
.stems-head .dann-bar { margin: 0 0 8px; }
.stems-lanes { display: grid; gap: 4px; --at: 0; --loop-start: 0; --loop-end: 0; }
.stems-row { display: grid; grid-template-columns: 252px minmax(0, 1fr); gap: 10px; align-items: center; }
.stems-controls { display: flex; align-items: center; gap: 6px; min-width: 0; }
.stems-controls button { min-width: 30px; min-height: 28px; padding: 0; font-size: 13px; font-weight: 650; }
.stems-controls button[data-mute][aria-pressed="true"] { background: var(--warn); border-color: var(--warn);
  color: var(--paper); }
.stems-controls input[type="range"] { flex: 1 1 60px; width: 60px; }
.stems-name { flex: 0 0 104px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600; }
.stems-row[data-digit] .stems-controls { border-left: 5px solid var(--source); padding-left: 7px; }
.stems-key { display: inline-block; min-width: 1.5em; margin-right: 5px; border: 1px solid currentColor;
  border-radius: 4px; font: 600 11px/1.35 ui-monospace, monospace; text-align: center; opacity: 0.85; }
.stems-time { font-size: 16px; font-weight: 650; }
.stems-lane { position: relative; overflow: hidden; border-radius: 4px; cursor: pointer; touch-action: pan-y;
  user-select: none; }
.stems-row[data-silent="yes"] canvas { opacity: 0.4; }
.stems-none { position: absolute; inset: 0; display: grid; place-items: center; }
.stems-ruler { height: 24px; background: var(--panel); border: 1px solid var(--line); }
.stems-ticks span { position: absolute; top: 2px; padding-left: 4px; border-left: 1px solid var(--line); height: 100%;
  color: var(--quiet); font-size: 12px; white-space: nowrap; pointer-events: none; }
.stems-cursor { position: absolute; inset: 0 auto 0 calc(var(--at) * 100%); width: 2px; margin-left: -1px;
  pointer-events: none; background: var(--ink); box-shadow: 0 0 0 1px var(--paper); }
.stems-loop { position: absolute; inset: 0 auto 0 calc(var(--loop-start) * 100%); pointer-events: none;
  width: calc((var(--loop-end) - var(--loop-start)) * 100%);
  background: color-mix(in srgb, var(--accent) 14%, transparent);
  box-shadow: inset 2px 0 var(--accent), inset -2px 0 var(--accent); }
.stems-words { min-height: 1.45em; }
@media (max-width: 640px) {
  .stems-lanes { gap: 10px; }
  .stems-row { grid-template-columns: minmax(0, 1fr); gap: 4px; }
  .stems-controls button { min-width: 44px; min-height: 36px; }
}
`;

/** Minutes and seconds, such as 2:03.4. */
function clock(seconds) {
  const tenths = Math.floor(seconds * 10);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

/**
 * @param {Element} el where to build it
 * @param song `{ model, tracks, buffers, failed, duration, actions }`
 * @returns `show(state, gains, words)`, `move(position, playing)`
 */
export function makePanel(el, song) {
  const { model, duration, actions, failed } = song;
  const variants = model.get("variants"), sources = model.get("sources"), mixture = model.get("mixture");
  const bar = makeBar(song, variants);
  const ruler = makeRuler(duration, actions);
  const rows = sources.map((name, index) => makeRow(name, mixture === null ? index + 1 : index, song));
  const words = make("p", { class: "dann-quiet stems-words", role: "status" });
  const alert = make("p", { class: "dann-alert", role: "alert" });
  if (failed.length) alert.textContent = `This browser cannot decode: ${failed.join(", ")}. The rest plays.`;
  const lanes = make("div", { class: "stems-lanes" }, ruler.element, ...rows.map((row) => row.element));
  el.tabIndex = -1;
  el.append(make("style", { text: STYLE }), ...bar.elements, alert, lanes, words, makeHelp(variants));
  const pictures = makePictures(song, rows);
  selecting(lanes, ruler, duration, actions);
  el.addEventListener("click", (event) => {
    // After a click with a pointer, the keys belong to the player again, not to the button.
    if (event.detail > 0 && event.target.closest("button, .dann-switch")) el.focus({ preventScroll: true });
  });
  new ResizeObserver(() => pictures.draw()).observe(ruler.lane);
  onTheme(() => pictures.draw());
  return {
    show(state, gains, sentence) {
      bar.show(state);
      rows.forEach((row) => row.show(state, gains));
      lanes.style.setProperty("--loop-start", (state.loop?.[0] ?? 0) / duration);
      lanes.style.setProperty("--loop-end", (state.loop?.[1] ?? 0) / duration);
      words.textContent = sentence;
      pictures.draw(state);
    },
    move(position, playing) {
      lanes.style.setProperty("--at", position / duration);
      ruler.move(position);
      bar.move(playing);
    },
  };
}

function makeBar({ model, actions }, variants) {
  const play = make("button", {
    type: "button", class: "dann-main", "aria-label": "Play", onclick: () => actions.play(),
  });
  play.innerHTML = ICONS.play;
  const loop = make("button", { type: "button", "aria-pressed": "false", text: "Loop", onclick: actions.toggleLoop });
  const version = makeSwitch("Version", variants, (_, index) => "abcdefgh"[index], actions.choose);
  const view = makeSwitch("Picture", ["waveform", "spectrogram"], () => null, actions.view);
  const head = make("div", { class: "dann-bar" }, play, make("h3", { text: model.get("title") }), version.element);
  const tools = make("div", { class: "dann-bar stems-tools" }, loop, view.element);
  version.element.hidden = variants.length < 2;
  return {
    elements: [make("div", { class: "stems-head" }, head, tools)],
    show(state) {
      version.show(state.variant);
      view.show(state.view);
      loop.setAttribute("aria-pressed", String(state.loop !== null));
    },
    move(playing) {
      if (play.getAttribute("aria-label") === (playing ? "Pause" : "Play")) return;
      play.setAttribute("aria-label", playing ? "Pause" : "Play");
      play.innerHTML = playing ? ICONS.pause : ICONS.play;
    },
  };
}

const keyCap = (text) => make("b", { class: "stems-key", text, "aria-hidden": "true" });

/** Radio buttons as a switch; `letter(name, index)` is the key of each, or nothing. */
function makeSwitch(label, names, letter, choose) {
  const group = `${label}-${Math.random()}`;
  const inputs = names.map((name, index) => make("input", {
    type: "radio", name: group, value: name, "data-letter": letter(name, index), onchange: () => choose(name),
  }));
  const labels = inputs.map((input, index) => {
    const key = input.dataset.letter;
    return make("label", {}, input, ...(key ? [keyCap(key.toUpperCase())] : []), names[index]);
  });
  const element = make("div", { class: "dann-switch", role: "radiogroup", "aria-label": label }, ...labels);
  return {
    element,
    show: (chosen) => inputs.forEach((input) => { input.checked = input.value === chosen; }),
  };
}

/** What moves over every lane: the loop and the cursor. */
const marks = () => [make("div", { class: "stems-loop" }), make("div", { class: "stems-cursor" })];

function makeRuler(duration, actions) {
  const time = make("span", { class: "dann-number stems-time", text: clock(0) });
  const ticks = make("div", { class: "stems-ticks", "aria-hidden": "true" });
  const step = [0.5, 1, 2, 5, 10, 20, 30, 60].find((size) => duration / size <= 9) ?? 120;
  for (let at = 0; at < duration - step / 3; at += step) {
    const text = at < 60 ? `${at} s` : clock(at).slice(0, -2);
    ticks.append(make("span", { style: `left:${(100 * at) / duration}%`, text }));
  }
  const lane = make("div", {
    class: "stems-lane stems-ruler", role: "slider", tabindex: 0, "aria-label": "Position", "aria-valuemin": 0,
    "aria-valuemax": duration.toFixed(1), "aria-valuenow": 0,
  }, ticks, ...marks());
  const total = make("span", { class: "dann-quiet dann-number", text: ` / ${clock(duration)}` });
  let shown = null;
  const clocks = make("div", { class: "stems-controls" }, make("span", {}, time, total));
  return {
    element: make("div", { class: "stems-row" }, clocks, lane),
    lane,
    move(position) {
      const text = clock(position);
      if (text === shown) return;
      shown = time.textContent = text;
      lane.setAttribute("aria-valuenow", position.toFixed(1));
      lane.setAttribute("aria-valuetext", `${position.toFixed(1)} of ${duration.toFixed(1)} seconds`);
    },
  };
}

function makeRow(name, digit, { model, tracks, actions }) {
  const mixture = model.get("mixture");
  const button = (text, label, kind, onclick) => make("button", {
    type: "button", text, title: label, "aria-label": label, "aria-pressed": "false", [kind]: "", onclick,
  });
  const solo = button("S", `Solo ${name}`, "data-solo", () => actions.solo(name, mixture));
  const mute = button("M", `Mute ${name}`, "data-mute", () => actions.mute(name));
  const volume = make("input", {
    type: "range", min: 0, max: 1, step: 0.01, value: 1, "aria-label": `Volume of ${name}`,
    title: `Volume of ${name}; a double click sets it back`, ondblclick: () => actions.volume(name, 1),
    oninput: () => actions.volume(name, volume.valueAsNumber),
  });
  const canvas = make("canvas", { "aria-hidden": "true" });
  const none = make("span", { class: "dann-quiet stems-none", text: "not in this version" });
  const lane = make("div", { class: "stems-lane" }, canvas, none, ...marks());
  const label = make("span", { class: "stems-name" }, ...(digit < 10 ? [keyCap(digit)] : []), name);
  const controls = make("div", { class: "stems-controls" }, label, solo, mute, volume);
  const element = make("div", {
    class: "stems-row", role: "group", "aria-label": name, "data-digit": digit, "data-track": name,
    style: `--source: var(--${CSS.escape(name)}, var(--accent))`,
  }, controls, lane);
  return {
    element, canvas, name,
    track: (state) => tracks.findIndex(({ source, version }) => (
      source === name && (version === null || version === state.variant))),
    show(state, gains) {
      const index = this.track(state);
      none.hidden = index >= 0;
      element.dataset.silent = gains[index] > 0 ? "no" : "yes";
      solo.setAttribute("aria-pressed", String(state.solo.includes(name)));
      mute.setAttribute("aria-pressed", String(state.muted.includes(name)));
      const level = state.volumes[name] ?? 1;
      if (volume.valueAsNumber !== level) volume.value = level;
      volume.setAttribute("aria-valuetext", `${Math.round(100 * level)} %`);
    },
  };
}

/** Waveforms or spectrograms of all rows on one scale; spectrograms are computed when they are first asked for. */
function makePictures({ model, buffers }, rows) {
  const scale = makeScale(model.get("colours"));
  const samples = (index) => buffers.get(index).getChannelData(0);
  const peak = Math.max(...[...buffers.keys()].flatMap((index) => [...extremes(samples(index), 1)].map(Math.abs)));
  let state = null, spectra = null, loudest = 0;

  async function transformAll(nColumns) {
    spectra = new Map();
    for (const index of buffers.keys()) {
      const made = await spectrum(samples(index), model.get("rate"), model.get("max_hz"), nColumns);
      loudest = made.magnitude.reduce((most, value) => Math.max(most, value), loudest);
      spectra.set(index, made);
    }
    draw();
  }

  function drawSpectrum(canvas, scene) {
    const level = levelOf(scene.magnitude, loudest || 1, model.get("floor_db"));
    const picture = paint({ ...scene, colour: (place) => scale[level(place)] }, canvas.clientWidth, canvas.height);
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  }

  function draw(next = state) {
    state = next;
    const view = state?.view;
    for (const row of state ? rows : []) {
      const { canvas } = row;
      const ratio = window.devicePixelRatio || 1;
      canvas.style.height = `${HEIGHT_PX[view]}px`;
      if (!canvas.clientWidth) continue;
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(HEIGHT_PX[view] * ratio);
      if (view === "spectrogram" && !spectra) transformAll(canvas.clientWidth);
      const index = row.track(state);
      if (!buffers.has(index)) continue;
      if (view === "waveform") drawWave(canvas, { samples: samples(index), peak, fill: colour(canvas, "--source") });
      else if (spectra.size === buffers.size) drawSpectrum(canvas, spectra.get(index));
    }
  }
  return { draw };
}

/** A click on a lane moves there, a drag makes a loop. */
function selecting(lanes, ruler, duration, actions) {
  let from = null;
  const place = (event) => {
    const box = ruler.lane.getBoundingClientRect();
    return (Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))) * duration;
  };
  const region = (event) => [from.at, place(event)].sort((a, b) => a - b);
  const dragged = (event) => from && Math.abs(event.clientX - from.x) >= DRAG_PX;
  const listeners = {
    pointerdown(event) {
      const lane = event.target.closest(".stems-lane");
      if (!lane || event.button > 0) return;
      from = { x: event.clientX, at: place(event) };
      lane.setPointerCapture(event.pointerId);
    },
    pointermove(event) {
      if (!dragged(event)) return;
      const [start, end] = region(event);
      lanes.style.setProperty("--loop-start", start / duration);
      lanes.style.setProperty("--loop-end", end / duration);
    },
    pointerup(event) {
      if (dragged(event)) actions.loop(region(event));
      else if (from) actions.seek(from.at);
      if (from) ruler.lane.focus({ preventScroll: true, focusVisible: false });
      from = null;
    },
    pointercancel: () => { from = null; },
  };
  for (const [name, listener] of Object.entries(listeners)) lanes.addEventListener(name, listener);
}

function makeHelp(variants) {
  const rows = HELP(variants.length).map(([names, text]) => {
    const caps = names.split(" ").map((name) => make("kbd", { text: name }));
    return make("tr", {}, make("th", { scope: "row" }, ...caps), make("td", { text }));
  });
  return make("details", {}, make("summary", { text: "Keys and how to listen" }),
    make("table", {}, make("tbody", {}, ...rows)), make("p", { class: "dann-quiet", text: HINTS }));
}
