// The stem player: a mixture and its sources in several versions, at one position on one clock.

import { make } from "./page.js";
import { decode, makeSound } from "./sound.js";
import { makePanel } from "./stem_panel.js";

const STEP_S = 1, LONG_STEP_S = 5, SHORTEST_LOOP_S = 0.1;

/** Gain of each track. Solo, mute and volume go by the name of the source, so that another version keeps them. */
function levels(tracks, { variant, solo, muted, volumes }) {
  return tracks.map(({ source, version }) => {
    const chosen = version === null || version === variant;
    const open = solo.length ? solo.includes(source) : version !== null;
    return chosen && open && !muted.includes(source) ? volumes[source] ?? 1 : 0;
  });
}

/** What is heard, in words. */
function heard(tracks, state) {
  const gains = levels(tracks, state);
  const names = tracks.filter((_, index) => gains[index] > 0).map(({ source }) => source);
  const missing = state.solo.filter((name) => !tracks.some(({ source, version }) => (
    source === name && (version === null || version === state.variant))));
  if (missing.length) return `“${state.variant}” has no ${missing.join(", ")}.`;
  if (!names.length) return "You hear nothing: everything is muted.";
  const ofVersion = tracks.some(({ version }, index) => gains[index] > 0 && version !== null);
  return `You hear ${names.join(" + ")}${ofVersion ? ` (${state.variant})` : ""}.`;
}

async function render({ model, el }) {
  if (typeof OfflineAudioContext === "undefined" || typeof AudioContext === "undefined") {
    return sayNothingPlays(el, "This browser has no Web Audio, so nothing plays.");
  }
  const tracks = model.get("tracks");
  el.textContent = `Decoding ${tracks.length} tracks …`;
  const { buffers, failed } = await load(tracks, model.get("rate"));
  el.replaceChildren();
  if (!buffers.size) {
    return sayNothingPlays(el, "This browser cannot decode any of the tracks (MP3), so nothing plays.");
  }
  return makePlayer(model, el, tracks, buffers, failed);
}

function sayNothingPlays(el, text) {
  el.append(make("p", { class: "dann-alert", role: "alert", text }));
}

/** The tracks that can be decoded, by their number, and the names of those that cannot. */
async function load(tracks, rate) {
  const buffers = new Map();
  const failed = [];
  const decoded = await Promise.allSettled(tracks.map(({ sound }) => decode(sound, rate)));
  decoded.forEach(({ status, value }, index) => {
    const { source, version } = tracks[index];
    if (status === "fulfilled") buffers.set(index, value);
    else failed.push(version === null ? source : `${source} (${version})`);
  });
  return { buffers, failed };
}

function makePlayer(model, el, tracks, buffers, failed) {
  const state = {
    variant: model.get("variants")[0], solo: model.get("solo"), muted: [], volumes: {}, loop: null, view: "waveform",
  };
  const [{ duration }] = buffers.values();
  const sound = makeSound((position, playing) => panel.move(position, playing));
  const actions = makeActions(state, sound, duration, update, model.get("variants"));
  const panel = makePanel(el, { model, tracks, buffers, failed, duration, actions });

  /** After a change of the state: what is heard and shown. */
  function update() {
    const gains = levels(tracks, state);
    sound.setLevels([...buffers.keys()].map((index) => [index, gains[index]]));
    panel.show(state, gains, heard(tracks, state));
  }

  el.addEventListener("keydown", (event) => press(event, el, state, sound, actions));
  update();
  sound.load(buffers);
  return sound.close;
}

/** What a listener can do. */
function makeActions(state, sound, duration, update, variants) {
  let region = [0, duration];
  const set = (name, value) => update(state[name] = value);
  const toggled = (list, name) => (list.includes(name) ? list.filter((each) => each !== name) : [...list, name]);
  const actions = {
    play: () => (sound.playing() ? sound.pause() : sound.play()),
    /** Sources can be soloed together; the mixture, which holds them all, alone. */
    solo(name, mixture) {
      const others = state.solo.filter((each) => (each === mixture) === (name === mixture));
      set("solo", toggled(others, name));
    },
    mute: (name) => set("muted", toggled(state.muted, name)),
    volume: (name, value) => set("volumes", { ...state.volumes, [name]: value }),
    choose: (variant) => variants.includes(variant) && set("variant", variant),
    view: (name = state.view === "waveform" ? "spectrogram" : "waveform") => set("view", name),
    seek(seconds) {
      const at = Math.min(Math.max(0, seconds), duration);
      if (state.loop && (at < state.loop[0] || at >= state.loop[1])) actions.loop(null);
      sound.seek(at);
    },
    loop(wanted) {
      if (wanted) {
        const [start, end] = wanted.map((at) => Math.min(Math.max(0, at), duration));
        if (end - start < SHORTEST_LOOP_S) return;
        region = [start, end];
      }
      set("loop", wanted && region);
      sound.setLoop(state.loop);
    },
    toggleLoop: () => actions.loop(state.loop ? null : region),
    loopFrom: (at) => actions.loop([at, at < region[1] - SHORTEST_LOOP_S ? region[1] : duration]),
    loopTo: (at) => actions.loop([at > region[0] + SHORTEST_LOOP_S ? region[0] : 0, at]),
  };
  return actions;
}

/** Keys, wherever the focus is, unless the control there needs them itself. */
function press(event, el, state, sound, actions) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isControl = event.target !== el && !event.target.matches("[role=slider]");
  const step = (event.shiftKey ? LONG_STEP_S : STEP_S) * (event.key === "ArrowLeft" ? -1 : 1);
  const row = /^(Digit|Numpad)\d$/.test(event.code) ? el.querySelector(`[data-digit="${event.code.at(-1)}"]`) : null;
  const letter = event.key.toLowerCase();
  const at = sound.position();
  const keys = {
    l: actions.toggleLoop, i: () => actions.loopFrom(at), o: () => actions.loopTo(at), s: () => actions.view(),
  };
  if (event.key === " " && !(isControl && event.target.matches("button, summary, input[type=radio]"))) actions.play();
  else if (event.key.startsWith("Arrow") && isControl) return;
  else if (event.key === "ArrowLeft" || event.key === "ArrowRight") actions.seek(inside(at + step, state.loop));
  else if (event.key === "Home" && !isControl) actions.seek(state.loop?.[0] ?? 0);
  else if (row) row.querySelector(event.shiftKey ? "[data-mute]" : "[data-solo]").click();
  else if (letter in keys) keys[letter]();
  else if (el.querySelector(`[data-letter="${CSS.escape(letter)}"]`)) {
    el.querySelector(`[data-letter="${CSS.escape(letter)}"]`).click();
  } else return;
  event.preventDefault();
}

/** A place moved into the loop. */
function inside(at, loop) {
  return loop ? Math.min(Math.max(loop[0], at), loop[1] - 0.01) : at;
}

export default { render };
