// What every module needs of the page that it is on: elements and themes.

const builder = (create) => (tag, attributes = {}, ...children) => {
  const element = create(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
};

/** An element with attributes (`on…` are listeners, `class`, `text`) and children. */
export const make = builder((tag) => document.createElement(tag));

/** An SVG element; attributes as in `make`. */
export const svg = builder((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));

/** The value of a colour of player.css, such as `--vocals`, where `element` stands. */
export function colour(element, name) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

/** Calls `listener` when the page turns light or dark. */
export function onTheme(listener) {
  const observer = new MutationObserver(() => listener());
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
