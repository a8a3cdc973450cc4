// Estimate and truth of a source, started together on one clock, so that switching changes a gain and nothing else.

import { make, oneSound, toBytes } from "./page.js";

const FADE_S = 0.008;
const SIDES = { estimate: "A", truth: "B" };

/**
 * A small player of two sounds, at the levels that they have.
 *
 * @param {(source: string) => void} chooseSource called when the listener wants another source of the same song
 * @returns {{element: Element, load: Function, key: (event: KeyboardEvent) => void, close: () => void}}
 *   `load(sounds, source, song, play)`: `sounds` is source → [estimate, truth] as MP3, or null where there are none.
 */
export function makePair(chooseSource) {
  const state = { context: null, playing: null, wanted: false, offset: 0, side: "estimate", buffers: null, key: null, ticket: 0 };
  const play = make("button", { type: "button", class: "dann-main", "aria-label": "Play", text: "▶", onclick: () => toggle() });
  const sides = Object.entries(SIDES).map(([side, letter]) => make("button", {
    type: "button", "aria-pressed": String(side === state.side), "data-side": side, "aria-keyshortcuts": letter.toLowerCase(),
    onclick: () => listenTo(side), text: `${letter}: ${side}`,
  }));
  const source = make("select", { "aria-label": "Source", onchange: () => chooseSource(source.value) });
  const place = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "Position", oninput: () => seek(Number(place.value)) });
  const time = make("span", { class: "dann-number pair-time" });
  const words = make("p", { class: "dann-quiet" });
  const bar = make("div", { class: "dann-bar" }, play, make("span", { role: "group", "aria-label": "Listen to" }, ...sides), make("label", {}, "of the", source), place, time);
  const element = make("div", { class: "pair", role: "group", "aria-label": "Sound of the song" }, bar, words);
  const sound = oneSound(() => { state.wanted = false; pause(); });

  async function load(sounds, name, song, start) {
    const key = `${song}/${name}`;
    const sameSong = state.key?.startsWith(`${song}/`);
    state.wanted ||= start;
    if (key === state.key) return state.wanted && !state.playing ? resume() : undefined;
    const position = sameSong ? now() : 0;
    pause();
    Object.assign(state, { key, buffers: null, offset: position, ticket: state.ticket + 1 });
    bar.hidden = !sounds?.[name];
    bar.style.display = bar.hidden ? "none" : "";
    if (bar.hidden) {
      state.wanted = false;
      words.textContent = `No sound is stored for the ${name} of this song.`;
      return undefined;
    }
    source.replaceChildren(...Object.keys(sounds).map((each) => make("option", { value: each, text: each, selected: each === name ? "" : null })));
    words.textContent = "Estimate (A) and truth (B) at the same place and at their own levels. Keys: space plays and pauses, a and b switch.";
    const ticket = state.ticket;
    const decoded = Promise.all(sounds[name].map(decode));
    state.buffers = decoded;
    try {
      const [estimate] = await decoded;
      if (ticket !== state.ticket) return undefined;
      place.max = estimate.duration;
      tell();
    } catch (error) {
      words.textContent = `This sound cannot be decoded in this browser: ${error.message}`;
      return undefined;
    }
    return state.wanted ? resume() : undefined;
  }

  async function resume() {
    const ticket = state.ticket;
    const buffers = await state.buffers;
    state.context ??= new AudioContext();
    await state.context.resume();
    if (!buffers || !state.wanted || ticket !== state.ticket || state.playing) return;
    sound.start();
    const at = state.context.currentTime + 0.02;
    const tracks = buffers.map((buffer, index) => {
      const gain = new GainNode(state.context, { gain: Object.keys(SIDES)[index] === state.side ? 1 : 0 });
      const node = new AudioBufferSourceNode(state.context, { buffer, loop: true });
      node.connect(gain).connect(state.context.destination);
      node.start(at, state.offset % buffer.duration);
      return { node, gain };
    });
    state.playing = { tracks, at, duration: buffers[0].duration };
    [play.textContent, play.ariaLabel] = ["❚❚", "Pause"];
    requestAnimationFrame(follow);
  }

  function pause() {
    if (!state.playing) return;
    state.offset = now();
    const end = state.context.currentTime + FADE_S;
    for (const { node, gain } of state.playing.tracks) {
      ramp(gain, 0);
      node.stop(end);
    }
    state.playing = null;
    [play.textContent, play.ariaLabel] = ["▶", "Play"];
    tell();
  }

  function listenTo(side) {
    state.side = side;
    for (const button of sides) button.setAttribute("aria-pressed", String(button.dataset.side === side));
    state.playing?.tracks.forEach(({ gain }, index) => ramp(gain, Object.keys(SIDES)[index] === side ? 1 : 0));
  }

  function ramp(node, value) {
    const from = state.context.currentTime;
    node.gain.cancelScheduledValues(from);
    node.gain.setValueAtTime(node.gain.value, from);
    node.gain.linearRampToValueAtTime(value, from + FADE_S);
  }

  function seek(position) {
    pause();
    state.offset = position;
    tell();
    if (state.wanted) resume();
  }

  function now() {
    if (!state.playing) return state.offset;
    const passed = Math.max(0, state.context.currentTime - state.playing.at);
    return (state.offset + passed) % state.playing.duration;
  }

  function tell() {
    place.value = now();
    time.textContent = `${now().toFixed(1)} of ${Number(place.max).toFixed(1)} s`;
    element.dataset.position = now().toFixed(3);
  }

  function follow() {
    if (!state.playing) return;
    tell();
    requestAnimationFrame(follow);
  }

  function toggle() {
    state.wanted = !state.playing;
    if (state.wanted) resume();
    else pause();
  }

  function key(event) {
    const typing = ["SELECT", "INPUT"].includes(event.target.tagName);
    if (bar.hidden || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const side = Object.keys(SIDES).find((each) => SIDES[each].toLowerCase() === event.key.toLowerCase());
    if (side) listenTo(side);
    if (event.key === " " && event.target.tagName !== "BUTTON" && event.target.tagName !== "SUMMARY") {
      event.preventDefault();
      toggle();
    }
  }

  function close() {
    pause();
    sound.close();
    state.context?.close();
  }

  return { element, load, key, close };
}

/** Decoded without a click of the listener, which an AudioContext that plays would need. */
const decode = (mp3) => new OfflineAudioContext(1, 1, 44_100).decodeAudioData(toBytes(mp3).buffer);
