// What the explorers of results share: axes, numbers in words, choices by keyboard.

import { make } from "./page.js";

/** A number as it is printed: a true minus sign, "none" where there is no value. */
export function decimal(value, digits = 1) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "none";
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** Three or four digits of a number of any size. */
export function significant(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "none";
  if (value === 0) return "0";
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  if (magnitude < -4 || magnitude > 5) return value.toExponential(1).replace("-", "−");
  return decimal(value, Math.max(0, 2 - magnitude));
}

/** A round value, such as those of `ticks`, with no more digits than it has. */
export const plain = (value) => String(Number(value.toPrecision(6))).replace("-", "−");

/** Round values from `low` to `high`, about `count` of them. */
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const values = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) values.push(k * step);
  return values;
}

/**
 * Makes radio buttons of elements: one of them can be reached with Tab, arrows choose the next or previous.
 *
 * @returns {(index: number) => void} marks the chosen one, without calling `choose`
 */
export function radios(buttons, choose) {
  const mark = (chosen) => buttons.forEach((button, index) => {
    button.setAttribute("aria-checked", String(index === chosen));
    button.tabIndex = index === chosen ? 0 : -1;
  });
  buttons.forEach((button, index) => {
    button.setAttribute("role", "radio");
    button.addEventListener("click", () => choose(index));
    button.addEventListener("keydown", (event) => {
      const next = stepped(event, index, buttons.length, true);
      if (next === null) return;
      choose(next);
      buttons[next].focus();
    });
  });
  mark(0);
  return mark;
}

/**
 * The index that a key leads to, or null; the key then scrolls nothing. Up is forward, as in a slider, but backward in
 * a list, which goes `around`.
 */
export function stepped(event, index, count, around = false) {
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  const up = around ? -1 : 1;
  const steps = { ArrowLeft: -1, ArrowUp: up, ArrowRight: 1, ArrowDown: -up, PageUp: 10 * up, PageDown: -10 * up };
  let next = null;
  if (event.key === "Home") next = 0;
  else if (event.key === "End") next = count - 1;
  else if (event.key in steps) {
    next = index + steps[event.key];
    next = around ? (next + count) % count : Math.max(0, Math.min(count - 1, next));
  }
  if (next !== null) event.preventDefault();
  return next;
}

/** A table: `head` as texts, "" where a column has no name; `rows` as elements; the caption is only spoken. */
export function table(caption, head, rows) {
  const cells = head.map((text) => (text ? make("th", { scope: "col", text }) : make("td")));
  return make("table", {}, make("caption", { class: "dann-hidden", text: caption }),
    make("thead", {}, make("tr", {}, ...cells)), make("tbody", {}, ...rows));
}

/** A place for a table that may be wider than the page; it scrolls by keyboard too. */
export const scrolling = (name, kind) => make("div", { class: kind, tabindex: 0, role: "region", "aria-label": name });

/** Calls `draw(width)` now and whenever the width of `element` changes. */
export function onWidth(element, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (element.clientWidth === width || element.clientWidth === 0) return;
    width = element.clientWidth;
    draw(width);
  }).observe(element);
}

/** Sideways places of dots in a strip, the same each time, so that equal scores give equal pictures. */
export const spread = (index) => Math.sin(2.4 * index);
