// Runs a module: in a frame of its own, where all its data are in the page, or in a notebook with Python behind it.

import { make } from "./page.js";

/** Documents around this frame that it may look into, the nearest first. */
function pagesAround() {
  const pages = [];
  try {
    for (let view = window; view.parent !== view; view = view.parent) pages.push(view.parent.document);
  } catch {
    // a page of another origin: what is inside it has been collected
  }
  return pages;
}

function themeOf(page) {
  const [html, body] = [page.documentElement.dataset, page.body?.dataset ?? {}];
  if (body.jpThemeLight) return body.jpThemeLight === "true" ? "light" : "dark";
  if (body.vscodeThemeKind) return body.vscodeThemeKind.includes("light") ? "light" : "dark";
  return [html.theme, body.theme, html.mode, body.mode].find((name) => name === "light" || name === "dark");
}

function followTheme(pages) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const stated = pages.map(themeOf).find(Boolean);
    document.documentElement.dataset.theme = stated ?? (system.matches ? "dark" : "light");
  };
  const observer = new MutationObserver(apply);
  for (const page of pages) {
    for (const node of [page.documentElement, page.body]) if (node) observer.observe(node, { attributes: true });
  }
  system.addEventListener("change", apply);
  addEventListener("pagehide", () => observer.disconnect());
  apply();
}

function followHeight(frame, root) {
  document.documentElement.style.overflowY = "hidden";
  new ResizeObserver(() => {
    frame.style.height = `${Math.ceil(root.getBoundingClientRect().height)}px`;
  }).observe(root);
}

/** Hides the still picture beside the frame while the module runs, and prints it in place of the frame. */
function replaceStill(frame) {
  const still = frame.closest("[data-interactive]")?.querySelector("[data-still]");
  if (!still) return;
  const page = frame.ownerDocument.defaultView;
  const show = (printed) => {
    still.hidden = !printed;
    frame.hidden = printed;
    frame.style.display = printed ? "none" : "block";
  };
  const listeners = { beforeprint: () => show(true), afterprint: () => show(false) };
  for (const [name, listener] of Object.entries(listeners)) {
    page.addEventListener(name, listener);
    addEventListener("pagehide", () => page.removeEventListener(name, listener));
  }
  show(false);
}

/** Renders into `root`; says there what went wrong. Gives back what ends it, if it runs. */
async function render(module, model, root) {
  try {
    root.replaceChildren();
    return await module.render({ model, el: root }) ?? (() => {});
  } catch (error) {
    const text = `This cannot be shown in this browser: ${error.message}`;
    root.replaceChildren(make("p", { class: "dann-alert", role: "alert", text }));
    console.error(error);
    return undefined;
  }
}

/** Shows `module` in the page of the frame, with the theme of the page around, as high as its content. */
export async function start(module) {
  const root = document.getElementById("root");
  const data = JSON.parse(document.getElementById("data").textContent);
  let frame = null;
  try {
    frame = window.frameElement;
  } catch {
    // a page of another origin: the frame keeps its height and scrolls, and the still picture is shown too
  }
  followTheme(pagesAround());
  const end = await render(module, { get: (name) => data[name] }, root);
  if (end) addEventListener("pagehide", end);
  if (end && frame) replaceStill(frame);
  if (frame) followHeight(frame, root);
}

/** The widget for anywidget that shows `module`, its description below; keys are kept from the notebook. */
export function live(module) {
  return {
    render({ model, el }) {
      const root = make("div", { class: "dann" });
      const caption = make("figcaption", { text: model.get("description"), style: "max-width:44em" });
      // JupyterLab's shortcuts (d d deletes a cell) are matched against the focused element itself.
      el.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
      el.append(make("figure", { style: "margin:0.5em 0" }, root, caption));
      return render(module, model, root);
    },
  };
}
