// Runs a module inside its frame: the data as a model, the theme of the page around, the height of the content.

const root = document.getElementById("root");
const parse = (id) => JSON.parse(document.getElementById(id).textContent);
const IMPORT = /(from\s*|import\s*)"\.\/([\w-]+\.js)"/g;

/** The last of `texts` (name → code) as an address to import; each follows those that it needs. */
function toUrl(texts) {
  const urls = {};
  for (const [name, text] of Object.entries(texts)) {
    const code = text.replace(IMPORT, (_, word, needed) => `${word}"${urls[needed]}"`);
    urls[name] = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  }
  return Object.values(urls).at(-1);
}

function makeModel(values) {
  const listeners = new Map();
  const model = {
    get: (name) => values[name],
    set(name, value) {
      const entries = typeof name === "string" ? { [name]: value } : name;
      for (const [key, entry] of Object.entries(entries)) {
        if (values[key] === entry) continue;
        values[key] = entry;
        for (const event of [`change:${key}`, "change"]) {
          for (const listener of [...(listeners.get(event) ?? [])]) listener(model, entry);
        }
      }
    },
    on(event, listener) {
      listeners.set(event, (listeners.get(event) ?? new Set()).add(listener));
    },
    off(event, listener) {
      if (listener) listeners.get(event)?.delete(listener);
      else listeners.delete(event);
    },
    save_changes() {},
    send() {},
  };
  return model;
}

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

function followHeight() {
  let frame = null;
  try {
    frame = window.frameElement;
  } catch {
    // a page of another origin: the frame keeps its height and scrolls
  }
  if (!frame) return;
  document.documentElement.style.overflowY = "hidden";
  new ResizeObserver(() => {
    frame.style.height = `${Math.ceil(root.getBoundingClientRect().height)}px`;
  }).observe(root);
}

followTheme(pagesAround());
try {
  const { default: widget } = await import(toUrl(parse("modules")));
  root.replaceChildren();
  const cleanup = await widget.render({ model: makeModel(parse("data")), el: root });
  if (cleanup) addEventListener("pagehide", cleanup);
} catch (error) {
  root.innerHTML = '<p class="dann-alert" role="alert"></p>';
  root.firstChild.textContent = `This cannot be shown in this browser: ${error.message}`;
  console.error(error);
}
followHeight();
