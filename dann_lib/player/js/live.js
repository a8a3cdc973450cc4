// Runs a module in a notebook's page: the shared style, the description below, the keys kept from the notebook.
import { make } from "./page.js";

/** The widget for anywidget that shows `module`. */
export function live(module) {
  return {
    async render({ model, el }) {
      const root = make("div", { class: "dann" });
      const caption = make("figcaption", { text: model.get("description"), style: "max-width:44em" });
      // JupyterLab's shortcuts (d d deletes a cell) are matched against the focused element itself.
      el.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
      el.append(make("figure", { style: "margin:0.5em 0" }, root, caption));
      try {
        return await module.render({ model, el: root });
      } catch (error) {
        const text = `This cannot be shown in this browser: ${error.message}`;
        root.replaceChildren(make("p", { class: "dann-alert", role: "alert", text }));
        console.error(error);
      }
    },
  };
}
