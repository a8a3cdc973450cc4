// Labelled controls of an explorer, and the numbers that it says.

import { make } from "./page.js";
import { decimal } from "./plots.js";
import { makeListening } from "./sound.js";

/** What the explorers of sounds need beyond player.css. */
export const STYLE = `
.dann-facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 6px 14px;
  margin: 8px 0 0; }
.dann-facts dt { color: var(--quiet); font-size: 13px; }
.dann-facts dd { margin: 0; font-weight: 600; }
.dann-picture { position: relative; }
.dann .dann-picture canvas { background: none; }
.dann-cursor { position: absolute; left: 0; top: 0; width: 2px; margin-left: -1px; background: #fff;
  box-shadow: 0 0 0 1px #0009; pointer-events: none; }
.dann-scale { display: inline-block; width: 90px; height: 10px; border-radius: 3px; vertical-align: middle; }
.dann [hidden] { display: none; }
`;

/** A row of controls with a name. */
export function group(name, ...controls) {
  return make("div", { class: "dann-bar", role: "group", "aria-label": name }, ...controls);
}

/** A list to choose from: `options` is value → text. */
export function choice(label, options, chosen, onchange) {
  const select = make("select", { onchange: () => onchange(select.value) });
  for (const [value, text] of Object.entries(options)) {
    select.append(make("option", { value, text, selected: String(chosen) === value ? "" : null }));
  }
  return make("label", {}, label, select);
}

/** A slider with its value beside it, written by `form`. */
export function slider(label, { min, max, step, value }, form, oninput) {
  const output = make("output", { class: "dann-number", text: form(value) });
  const input = make("input", { type: "range", min, max, step, value, "aria-valuetext": form(value) });
  input.addEventListener("input", () => {
    output.textContent = form(input.valueAsNumber);
    input.setAttribute("aria-valuetext", output.textContent);
    oninput(input.valueAsNumber);
  });
  return make("label", {}, label, input, output);
}

/** A number to type; what is not between `min` and `max` is moved there. */
export function number(label, { min, max, step, value }) {
  const input = make("input", { type: "number", min, max, step, value, style: "width: 6.5em" });
  input.addEventListener("change", () => {
    const typed = Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : value;
    input.value = Math.min(max, Math.max(min, typed));
  });
  return make("label", {}, label, input);
}

export function button(text, onclick, attributes = {}) {
  return make("button", { type: "button", text, onclick, ...attributes });
}

/**
 * Buttons that are pressed while their sound is heard.
 *
 * @param {object} names key → text
 * @param {(key: string) => [Float32Array, number]} heard samples and rate in Hz of a sound
 * @param {(position: number | null) => void} onMove the place in s while one plays
 * @returns element, `refresh()` when sounds have changed, close
 */
export function soundButtons(names, heard, onMove) {
  const listening = makeListening((playing) => {
    for (const [key, element] of buttons) {
      element.setAttribute("aria-pressed", String(key === playing));
      element.textContent = `${key === playing ? "■" : "▶"} ${names[key]}`;
    }
  }, onMove);
  const buttons = Object.entries(names).map(([key, text]) => [
    key, button(`▶ ${text}`, () => listening.toggle(key, ...heard(key)), { "aria-pressed": "false" }),
  ]);
  return {
    element: group("Listen", ...buttons.map(([, element]) => element)),
    refresh: () => listening.playing() && listening.replace(...heard(listening.playing())),
    close: listening.close,
  };
}

/** A list of names and values; `show` takes name → text. What changed is read out after a pause, as one sentence. */
export function facts(label) {
  const list = make("dl", { class: "dann-facts", "aria-label": label });
  const spoken = make("p", { class: "dann-hidden", "aria-live": "polite" });
  let waiting = 0;
  return {
    element: make("div", {}, list, spoken),
    show(values) {
      list.replaceChildren(...Object.entries(values).map(([name, value]) => make(
        "div", {}, make("dt", { text: name }), make("dd", { class: "dann-number", text: value }))));
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        spoken.textContent = Object.entries(values).map((entry) => entry.join(": ")).join("; ");
      }, 700);
    },
  };
}

/** A level or a ratio in dB as it is printed; infinity and "not a number" in words. */
export function decibels(value, digits = 1) {
  if (Number.isNaN(value)) return "undefined";
  if (!Number.isFinite(value)) return value > 0 ? "∞ dB" : "−∞ dB";
  return `${decimal(value, digits)} dB`;
}
