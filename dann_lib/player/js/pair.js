// Estimate and truth of a source at one place: switching changes a gain and nothing else.

import { make } from "./page.js";
import { decode, makeSound } from "./sound.js";

const RATE = 44100;
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
  const sound = makeSound(show);
  const toggle = () => (sound.playing() ? sound.pause() : sound.play());
  const play = make("button", { type: "button", class: "dann-main", onclick: toggle });
  const sides = SIDES.map((side, index) => make("button", {
    type: "button", "aria-keyshortcuts": KEYS[index], text: `${KEYS[index].toUpperCase()}: ${side}`,
    onclick: () => listenTo(index),
  }));
  const source = make("select", { "aria-label": "Source", onchange: () => chooseSource(source.value) });
  const place = make("input", {
    type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "Position",
    oninput: () => sound.seek(Number(place.value)),
  });
  const [time, words] = [make("span", { class: "dann-number" }), make("p", { class: "dann-quiet" })];
  const both = make("span", { role: "group", "aria-label": "Listen to" }, ...sides);
  const bar = make("div", { class: "dann-bar" }, play, both, make("label", {}, "of the", source), place, time);
  const element = make("div", { class: "pair", role: "group", "aria-label": "Sound of the song" }, bar, words);
  let loaded = null;

  function show(position, playing) {
    [play.textContent, play.ariaLabel] = playing ? ["❚❚", "Pause"] : ["▶", "Play"];
    place.max = sound.duration();
    place.value = position;
    place.setAttribute("aria-valuetext", `${position.toFixed(1)} s`);
    time.textContent = `${position.toFixed(1)} of ${sound.duration().toFixed(1)} s`;
    element.dataset.position = position.toFixed(3);
  }

  function listenTo(side) {
    sound.setLevels(SIDES.map((_, index) => [index, Number(index === side)]));
    sides.forEach((button, index) => button.setAttribute("aria-pressed", String(index === side)));
  }

  async function load(sounds, name, song, start) {
    const [wanted, sameSong] = [`${song}/${name}`, loaded?.startsWith(`${song}/`)];
    if (loaded === wanted) return start && sound.play();
    loaded = wanted;
    bar.hidden = !sounds?.[name];
    words.textContent = bar.hidden ? `No sound is stored for the ${name} of this song.` : HELP;
    if (bar.hidden) return sound.pause();
    source.replaceChildren(...Object.keys(sounds).map((value) => make("option", { value, text: value })));
    source.value = name;
    try {
      const decoded = await Promise.all(sounds[name].map((mp3) => decode(mp3, RATE)));
      if (loaded !== wanted) return undefined;  // another one has been asked for since
      sound.load(new Map(decoded.entries()), sameSong ? null : 0, true);
      if (start) sound.play();
    } catch (error) {
      words.textContent = `This sound cannot be decoded in this browser: ${error.message}`;
    }
    return undefined;
  }

  function key(event) {
    const typing = ["SELECT", "INPUT"].includes(event.target.tagName);
    if (bar.hidden || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const side = KEYS.indexOf(event.key.toLowerCase());
    if (side >= 0) listenTo(side);
    if (event.key !== " " || ["BUTTON", "SUMMARY"].includes(event.target.tagName)) return;
    event.preventDefault();
    toggle();
  }

  listenTo(0);
  show(0, false);
  return { element, load, key, close: sound.close };
}
