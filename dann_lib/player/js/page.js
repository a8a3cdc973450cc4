// What every module needs of the page that it is on: elements, themes, sound that gives way to other sound.

/** An element with attributes (`on…` are listeners, `class`, `text`) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** The value of a colour of player.css, such as `--vocals`, where `element` stands. */
export function colour(element, name) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

/** Calls `listener` when the page turns light or dark; returns what ends that. */
export function onTheme(listener) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(() => listener());
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
  system.addEventListener("change", listener);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", listener);
  };
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A copy of binary data: base64 text in a stored page, a DataView with Python behind it. */
export function toBytes(value) {
  if (typeof value === "string") {
    const letters = atob(value);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }
  return new Uint8Array(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength));
}

/**
 * Lets one sound at a time be heard, in all frames of a page and all its `<audio>` elements.
 *
 * @param {() => void} stop called when something else starts
 * @returns {{start: () => void, close: () => void}} `start` to be called when this one starts
 */
export function oneSound(stop) {
  const own = Symbol("player");
  const pages = [document];
  try {
    for (let view = window; view.parent !== view; view = view.parent) pages.push(view.parent.document);
  } catch {
    // a page of another origin: the channel below still reaches the frames of this origin
  }
  const outermost = pages.at(-1);
  const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("dann-sound") : null;
  let started = 0;
  const now = () => performance.timeOrigin + performance.now();
  const onSound = (event) => event.detail !== own && stop();
  const onElement = (event) => event.target.pause && stop();
  outermost.addEventListener("dann-sound", onSound);
  for (const page of pages) page.addEventListener("play", onElement, true);
  if (channel) channel.onmessage = (event) => event.data > started && stop();
  return {
    start() {
      started = now();
      for (const page of pages) for (const element of page.querySelectorAll("audio, video")) element.pause();
      outermost.dispatchEvent(new CustomEvent("dann-sound", { detail: own }));
      channel?.postMessage(started);
    },
    close() {
      outermost.removeEventListener("dann-sound", onSound);
      for (const page of pages) page.removeEventListener("play", onElement, true);
      channel?.close();
    },
  };
}
