// Estimate and truth of a source, started together on one clock, so that switching changes a gain and nothing else.

import { make, oneSound, toBytes } from "./page.js";

const FADE_S = 0.008;
const SIDES = ["estimate", "truth"];
const KEYS = ["a", "b"];
const HELP = "Estimate (A) and truth (B) at the same place and at their own levels. Keys: space plays and pauses, a and b "
  + "switch.";

/**
 * A small player of two sounds, at the levels that they have.
 *
 * @param {(source: string) => void} chooseSource called when the listener wants another source of the same song
 * @returns {{element: Element, load: Function, key: (event: KeyboardEvent) => void, close: () => void}}
 *   `load(sounds, source, song, play)`: `sounds` is source → [estimate, truth] as MP3, or null where there are none.
 */
export function makePair(chooseSource) {
  const engine = makeEngine(tell);
  const sound = oneSound(() => engine.want(false));
  const panel = makePanel(chooseSource, engine, listenTo);
  let key = null;

  async function load(sounds, name, song, start) {
    if (key === `${song}/${name}`) return start ? engine.want(true) : undefined;
    const sameSong = key?.startsWith(`${song}/`);
    key = `${song}/${name}`;
    panel.bar.hidden = !sounds?.[name];
    panel.bar.style.display = panel.bar.hidden ? "none" : "";
    panel.words.textContent = panel.bar.hidden ? `No sound is stored for the ${name} of this song.` : HELP;
    if (panel.bar.hidden) return engine.clear();
    panel.fill(Object.keys(sounds), name);
    try {
      await engine.load(sounds[name], sameSong, start);
    } catch (error) {
      panel.words.textContent = `This sound cannot be decoded in this browser: ${error.message}`;
    }
    return undefined;
  }

  /** Says what the engine does: called when it starts, stops and moves. */
  function tell(started) {
    if (started) sound.start();
    panel.show(engine.playing(), engine.position(), engine.duration());
  }

  function listenTo(side) {
    engine.listenTo(side);
    panel.sides.forEach((button, index) => button.setAttribute("aria-pressed", String(index === side)));
  }

  function onKey(event) {
    const typing = ["SELECT", "INPUT"].includes(event.target.tagName);
    if (panel.bar.hidden || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const side = KEYS.indexOf(event.key.toLowerCase());
    if (side >= 0) listenTo(side);
    if (event.key !== " " || ["BUTTON", "SUMMARY"].includes(event.target.tagName)) return;
    event.preventDefault();
    engine.want(!engine.playing());
  }

  function close() {
    sound.close();
    engine.close();
  }
  return { element: panel.element, load, key: onKey, close };
}

function makePanel(chooseSource, engine, listenTo) {
  const play = make("button", { type: "button", class: "dann-main", onclick: () => engine.want(!engine.playing()) });
  const sides = SIDES.map((side, index) => make("button", {
    type: "button", "aria-pressed": String(index === 0), "aria-keyshortcuts": KEYS[index],
    onclick: () => listenTo(index), text: `${KEYS[index].toUpperCase()}: ${side}`,
  }));
  const source = make("select", { "aria-label": "Source", onchange: () => chooseSource(source.value) });
  const place = make("input", {
    type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "Position",
    oninput: () => engine.seek(Number(place.value)),
  });
  const [time, words] = [make("span", { class: "dann-number" }), make("p", { class: "dann-quiet" })];
  const both = make("span", { role: "group", "aria-label": "Listen to" }, ...sides);
  const bar = make("div", { class: "dann-bar" }, play, both, make("label", {}, "of the", source), place, time);
  const element = make("div", { class: "pair", role: "group", "aria-label": "Sound of the song" }, bar, words);

  function show(playing, position, duration) {
    [play.textContent, play.ariaLabel] = playing ? ["❚❚", "Pause"] : ["▶", "Play"];
    place.max = duration;
    place.value = position;
    place.setAttribute("aria-valuetext", `${position.toFixed(1)} s`);
    time.textContent = `${position.toFixed(1)} of ${duration.toFixed(1)} s`;
    element.dataset.position = position.toFixed(3);
  }
  function fill(names, chosen) {
    source.replaceChildren(...names.map((each) => make("option", { value: each, text: each })));
    source.value = chosen;
  }
  show(false, 0, 0);
  return { element, bar, words, sides, show, fill };
}

/** Two buffers in a loop on one audio context. `tell(started)` is called at each start, stop and move. */
function makeEngine(tell) {
  let [context, running, wanted, offset, side, buffers, ticket] = [null, null, false, 0, 0, null, 0];

  const duration = () => buffers?.[0].duration ?? 0;
  function position() {
    if (!running) return offset;
    return (offset + Math.max(0, context.currentTime - running.at)) % duration();
  }

  async function load(sounds, keepPlace, start) {
    const own = (ticket += 1);
    const place = keepPlace ? position() : 0;
    wanted ||= start;
    stop();
    const decoded = await Promise.all(sounds.map(decode));
    if (own !== ticket) return;
    [buffers, offset] = [decoded, place];
    tell(false);
    await resume();
  }

  async function resume() {
    const own = ticket;
    if (!wanted || !buffers || running) return;
    context ??= new AudioContext();
    await context.resume();
    if (!wanted || !buffers || running || own !== ticket) return;
    const at = context.currentTime + 0.02;
    const tracks = buffers.map((buffer, index) => {
      const gain = new GainNode(context, { gain: index === side ? 1 : 0 });
      const node = new AudioBufferSourceNode(context, { buffer, loop: true });
      node.connect(gain).connect(context.destination);
      node.start(at, offset % buffer.duration);
      return { node, gain };
    });
    running = { tracks, at };
    tell(true);
    requestAnimationFrame(follow);
  }

  function stop() {
    if (!running) return;
    offset = position();
    for (const { node, gain } of running.tracks) {
      fade(gain, 0);
      node.stop(context.currentTime + FADE_S);
    }
    running = null;
    tell(false);
  }

  function fade(node, value) {
    const now = context.currentTime;
    node.gain.cancelScheduledValues(now);
    node.gain.setValueAtTime(node.gain.value, now);
    node.gain.linearRampToValueAtTime(value, now + FADE_S);
  }

  function follow() {
    if (!running) return;
    tell(false);
    requestAnimationFrame(follow);
  }

  return {
    load, position, duration,
    playing: () => running !== null,
    want(play) {
      wanted = play;
      if (play) resume();
      else stop();
    },
    listenTo(chosen) {
      side = chosen;
      running?.tracks.forEach(({ gain }, index) => fade(gain, index === side ? 1 : 0));
    },
    seek(place) {
      stop();
      offset = place;
      tell(false);
      resume();
    },
    clear() {
      ticket += 1;
      wanted = false;
      stop();
      buffers = null;
    },
    close() {
      this.clear();
      context?.close();
    },
  };
}

/** Decoded without a click of the listener, which an AudioContext that plays would need. */
const decode = (mp3) => new OfflineAudioContext(1, 1, 44_100).decodeAudioData(toBytes(mp3).buffer);
