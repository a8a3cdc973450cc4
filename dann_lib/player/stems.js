// The stem player: mixture and sources in several variants, switched on one clock at the levels that they have.

import { makeEngine } from "./engine.js";
import { makeLane } from "./lanes.js";
import { make, onTheme, oneSound, reducedMotion, toBytes } from "./page.js";
import { decimal } from "./plots.js";

const STEP_S = 2;
const STYLE = `
.stems-rows { display: grid; gap: 4px; }
.stems-row { display: grid; grid-template-columns: minmax(210px, 250px) 1fr; gap: 4px 12px; align-items: center; }
.stems-row[data-silent="yes"] .stems-lane { opacity: 0.35; }
.stems-controls { display: flex; align-items: center; gap: 6px; }
.stems-controls .stems-name { flex: 1 1 auto; font-weight: 600; }
.stems-controls input[type="range"] { width: 74px; }
.stems-lane { position: relative; cursor: pointer; touch-action: pan-y; border-radius: 4px; overflow: hidden; }
.stems-cursor { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px; background: var(--ink);
  box-shadow: 0 0 0 1px var(--paper); pointer-events: none; }
.stems-region { position: absolute; top: 0; bottom: 0; background: var(--accent); opacity: 0.22; pointer-events: none; }
.stems-seek { grid-column: 2; }
.dann .stems-seek input { width: 100%; }
@media (max-width: 520px) { .stems-row { grid-template-columns: 1fr; } .stems-seek { grid-column: 1; } }
`;

export default {
  async render({ model, el }) {
    const status = make("p", { class: "dann-quiet", text: "Decoding …" });
    el.append(make("style", { text: STYLE }), make("h3", { text: model.get("title") }), status);
    const tracks = await decoded(model).catch((error) => {
      throw new Error(`a sound could not be decoded: ${error.message}`);
    });
    status.remove();
    const state = {
      names: model.get("names"), variants: model.get("variants"), variant: model.get("variant"), view: "waveform",
      solo: new Set(model.get("solo")), mute: new Set(), volume: new Map(),
    };
    return build(model, el, tracks, state);
  },
};

/** Tracks with samples: those of the mixture have no variant but "mixture". */
async function decoded(model) {
  const rate = model.get("rate");
  return Promise.all(model.get("tracks").map(async (track) => ({
    ...track, buffer: await new OfflineAudioContext(1, 1, rate).decodeAudioData(toBytes(track.sound).buffer),
  })));
}

/** How loud each track is to be: those of the chosen variant that are not muted or outdone by a solo. */
export function gainsOf(tracks, { variant, solo, mute, volume }) {
  return tracks.map((track) => {
    const heard = variant === "mixture" || !solo.size || solo.has(track.name);
    return track.variant === variant && heard && !mute.has(track.name) ? volume.get(track.name) ?? 1 : 0;
  });
}

function build(model, el, tracks, state) {
  const engine = makeEngine(tracks.map((track) => track.buffer), () => refresh());
  const sound = oneSound(() => engine.playing() && engine.pause());
  const peak = Math.max(...tracks.map(({ buffer }) => buffer.getChannelData(0).reduce((top, x) => Math.max(top, Math.abs(x)), 0)));
  const toggle = () => (engine.playing() ? engine.pause() : (sound.start(), engine.play()));
  const change = (edit) => {
    edit();
    engine.setGains(gainsOf(tracks, state));
    refresh();
    for (const [name, value] of [["variant", state.variant], ["solo", [...state.solo]]]) model.set(name, value);
    model.save_changes();
  };
  const parts = makeParts(model, tracks, state, engine, { toggle, change, draw: () => draw() });
  el.append(...parts.elements);
  el.tabIndex = 0;

  function draw() {
    for (const [name, row] of parts.rows) row.lane.draw(trackOf(tracks, state, name).buffer.getChannelData(0), state.view, peak);
  }
  function refresh() {
    parts.show(engine, state, tracks);
    if (engine.playing()) requestAnimationFrame(follow);
    else if (model.get("position") !== engine.position()) {
      model.set("position", engine.position());
      model.save_changes();
    }
  }
  let shown = 0;
  function follow(now) {
    if (!engine.playing()) return;
    if (!reducedMotion() || now - shown > 500) {
      parts.move(engine);
      shown = now;
    }
    requestAnimationFrame(follow);
  }
  const variant = () => state.variant;
  let last = variant();
  const redraw = () => variant() !== last && ((last = variant()), draw());
  const onKey = keys(engine, state, { toggle, change: (edit) => (change(edit), redraw()) });
  parts.onVariant = redraw;
  el.addEventListener("keydown", onKey);
  const sized = new ResizeObserver(draw);
  sized.observe(parts.rowsElement);
  const endTheme = onTheme(draw);
  engine.setGains(gainsOf(tracks, state));
  const moved = () => Math.abs(model.get("position") - engine.position()) > 0.05 && engine.seek(model.get("position"));
  model.on("change:position", moved);
  refresh();
  return () => {
    [sound, engine].forEach((each) => each.close());
    sized.disconnect();
    endTheme();
    model.off("change:position", moved);
  };
}

const trackOf = (tracks, { variant, names }, name) =>
  tracks.find((track) => track.name === name && track.variant === variant) ?? tracks.find((track) => track.name === name);

function makeParts(model, tracks, state, engine, { toggle, change, draw }) {
  const play = make("button", { type: "button", class: "dann-main", "aria-label": "Play", text: "▶", onclick: toggle });
  const time = make("span", { class: "dann-number" });
  const parts = { rows: new Map(), onVariant: () => {} };
  const variants = variantSwitch(model, state, (name) => {
    change(() => (state.variant = name));
    parts.onVariant();
  });
  const view = make("button", { type: "button", "aria-pressed": "false", text: "Spectrogram", onclick: () => {
    state.view = state.view === "waveform" ? "spectrogram" : "waveform";
    view.setAttribute("aria-pressed", String(state.view === "spectrogram"));
    draw();
  } });
  const loop = make("button", { type: "button", "aria-pressed": "false", text: "Loop", title: "Repeat the region that was drawn",
    onclick: () => engine.loop(engine.region() ? null : around(engine)) });
  const seek = make("input", { type: "range", min: 0, max: engine.duration, step: 0.01, value: 0, "aria-label": "Position",
    oninput: () => engine.seek(seek.valueAsNumber) });
  for (const name of state.names) parts.rows.set(name, makeRow(model, state, name, engine, change));
  const rows = make("div", { class: "stems-rows" }, ...[...parts.rows.values()].map((row) => row.element));
  const bottom = make("div", { class: "stems-row" }, make("div", { class: "stems-seek" }, seek));
  const said = make("p", { class: "dann-hidden", role: "status" });
  parts.rowsElement = rows;
  parts.elements = [make("div", { class: "dann-bar" }, play, time, variants.element, view, loop), rows, bottom, said, help(state)];
  parts.move = () => {
    const place = engine.position();
    seek.value = place;
    seek.setAttribute("aria-valuetext", `${decimal(place)} of ${decimal(engine.duration)} s`);
    time.textContent = `${decimal(place)} / ${decimal(engine.duration)} s`;
    const part = engine.region()?.map((edge) => edge / engine.duration);
    for (const row of parts.rows.values()) row.lane.show(place / engine.duration, part);
  };
  parts.show = () => {
    play.textContent = engine.playing() ? "❚❚" : "▶";
    play.setAttribute("aria-label", engine.playing() ? "Pause" : "Play");
    loop.setAttribute("aria-pressed", String(Boolean(engine.region())));
    variants.choose(state.variant);
    const gains = gainsOf(tracks, state);
    for (const [name, row] of parts.rows) row.show(tracks, gains, state);
    const text = `${state.variant}${state.solo.size ? `, solo ${[...state.solo].join(", ")}` : ""}`;
    if (said.textContent !== text) said.textContent = text;
    parts.move();
  };
  return parts;
}

/** Two seconds from where the sound is, for those who have not drawn a region. */
function around(engine) {
  const from = Math.min(engine.position(), Math.max(0, engine.duration - STEP_S));
  return [from, Math.min(engine.duration, from + STEP_S)];
}

function variantSwitch(model, state, choose) {
  const group = `variant-${Math.random().toString(36).slice(2)}`;
  const inputs = state.variants.map((name) => make("input", { type: "radio", name: group, value: name, onchange: () => choose(name) }));
  const labels = inputs.map((input, index) => make("label", {}, input, `${index + 1} ${state.variants[index]}`));
  const element = make("fieldset", { class: "dann-switch", "aria-label": "Variant" }, ...labels);
  return {
    element,
    choose: (name) => inputs.forEach((input) => (input.checked = input.value === name)),
  };
}

function makeRow(model, state, name, engine, change) {
  const flip = (set) => () => change(() => set.delete(name) || set.add(name));
  const solo = make("button", { type: "button", "aria-label": `Solo ${name}`, title: "Solo", text: "S", onclick: flip(state.solo) });
  const mute = make("button", { type: "button", "aria-label": `Mute ${name}`, title: "Mute", text: "M", onclick: flip(state.mute) });
  const volume = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: 1, "aria-label": `Volume of ${name}`,
    "aria-valuetext": "0 dB", oninput: () => change(() => {
      state.volume.set(name, volume.valueAsNumber);
      volume.setAttribute("aria-valuetext", volume.valueAsNumber ? `${decimal(20 * Math.log10(volume.valueAsNumber))} dB` : "silent");
    }) });
  solo.hidden = name === "mixture";
  solo.style.visibility = solo.hidden ? "hidden" : "";
  const level = make("span", { class: "dann-quiet dann-number" });
  const label = make("span", { class: "stems-name", style: `color: var(--${name}, inherit)`, text: name });
  const lane = makeLane(name, model.get("scale"));
  drawRegion(lane.element, engine);
  const controls = make("div", { class: "stems-controls", role: "group", "aria-label": name }, label, level, solo, mute, volume);
  const element = make("div", { class: "stems-row", "data-track": name }, controls, lane.element);
  return {
    element, lane,
    show(tracks, gains) {
      const gain = Math.max(...gains.filter((_, index) => tracks[index].name === name));
      element.dataset.silent = gain ? "no" : "yes";
      element.dataset.gain = gain;
      solo.setAttribute("aria-pressed", String(state.solo.has(name)));
      mute.setAttribute("aria-pressed", String(state.mute.has(name)));
      const own = trackOf(tracks, state, name);
      level.textContent = own.level === null ? "silent" : `${decimal(own.level, 0)} dB`;
    },
  };
}

/** A click moves the sound there, a drag makes the region that is repeated. */
function drawRegion(lane, engine) {
  let from = null;
  const place = (event) => {
    const box = lane.getBoundingClientRect();
    return engine.duration * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  lane.addEventListener("pointerdown", (event) => {
    from = place(event);
    lane.setPointerCapture(event.pointerId);
  });
  lane.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const [low, high] = [from, place(event)].sort((one, other) => one - other);
    from = null;
    if (high - low < 0.1) engine.seek(high);
    else engine.loop([low, high]);
  });
  lane.addEventListener("pointercancel", () => (from = null));
}

function keys(engine, state, { toggle, change }) {
  const jump = (seconds) => engine.seek(engine.position() + seconds);
  const edge = (side) => {
    const region = engine.region() ?? [0, engine.duration];
    const next = side ? [region[0], engine.position()] : [engine.position(), region[1]];
    if (next[1] - next[0] >= 0.1) engine.loop(next);
  };
  const actions = {
    " ": toggle, k: toggle, arrowleft: () => jump(-STEP_S), arrowright: () => jump(STEP_S), home: () => engine.seek(0),
    l: () => engine.loop(engine.region() ? null : around(engine)), "[": () => edge(0), "]": () => edge(1),
  };
  return (event) => {
    const typing = event.target.matches("input[type=range], input[type=radio]") && /^(arrow|home|end| )/i.test(event.key);
    const pressing = event.target.matches("button, summary") && [" ", "Enter"].includes(event.key);
    if (typing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
    const variant = state.variants[Number(event.key) - 1];
    const name = state.names.find((each) => each !== "mixture" && each[0] === event.key.toLowerCase());
    const action = actions[event.key.toLowerCase()] ?? (variant && (() => change(() => (state.variant = variant))))
      ?? (name && (() => change(() => state.solo.delete(name) || state.solo.add(name))));
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  };
}

function help(state) {
  const letters = state.names.filter((name) => name !== "mixture").map((name) => `${name[0]} ${name}`).join(", ");
  const lines = [["space", "play and pause"], ["← →", `${STEP_S} s back and on`], [`1 … ${state.variants.length}`, "variant, at the same place"],
    [letters, "solo"], ["[ ]", "beginning and end of the region"], ["l", "repeat it, or no more"]];
  return make("details", {}, make("summary", { text: "Keys and mouse" }),
    make("table", {}, make("tbody", {}, ...lines.map(([key, text]) => make("tr", {}, make("td", {}, make("kbd", { text: key })), make("td", { text }))))),
    make("p", { class: "dann-quiet", text: "Click on a picture to go there, drag over it to repeat a part. Levels are never changed: what is quieter "
      + "is quieter, and volumes only go down." }));
}
