// Hands a song of any size to Python, and its stems back, a piece at a time: one message may have 10 MiB at most.
import { make } from "./page.js";

const KINDS = "audio/*,video/mp4,.wav,.flac,.mp3,.ogg,.opus,.m4a,.aac,.aiff,.mp4";

export default {
  render({ model, el }) {
    const send = sender(model);
    const save = saver(model);
    const input = make("input", { type: "file", accept: KINDS, class: "dann-hidden", tabindex: "-1", "aria-hidden": "true",
      onchange: () => { send.begin(input.files[0]); input.value = ""; } });
    const choose = make("button", { type: "button", text: "Choose a song …", onclick: () => input.click() });
    const hint = make("span", { class: "dann-quiet", text: "or drop one here. WAV, FLAC, MP3, OGG, M4A; any length." });
    const zone = make("div", { class: "dann-bar dann-drop", role: "group", "aria-label": "A song of your own",
      style: "padding:18px;border:2px dashed var(--line);border-radius:10px" }, choose, hint, input);
    for (const name of ["dragover", "dragleave", "drop"]) {
      zone.addEventListener(name, (event) => {
        event.preventDefault();
        event.stopPropagation();
        zone.style.borderColor = name === "dragover" ? "var(--accent)" : "var(--line)";
        if (name === "drop") send.begin(event.dataTransfer.files[0]);
      });
    }
    const downloads = make("div", { class: "dann-bar", role: "group", "aria-label": "Download" });
    el.append(make("h3", { text: model.get("title") }), zone, downloads);
    const update = () => {
      choose.disabled = model.get("busy");
      downloads.replaceChildren(...model.get("stems").map((stem) => make("button", { type: "button",
        text: `Download ${stem.name} (${(stem.bytes / 1e6).toFixed(1)} MB)`, onclick: () => save.begin(stem) })));
    };
    const onMessage = (message, buffers) => (message.kind === "next" ? send.next(message) : save.take(message, buffers[0]));
    const listeners = Object.entries({ change: update, "msg:custom": onMessage });
    for (const [event, listener] of listeners) model.on(event, listener);
    update();
    return () => listeners.forEach(([event, listener]) => model.off(event, listener));
  },
};

/** Sends a file a piece at a time, each when Python has taken the one before. */
function sender(model) {
  let file = null;
  return {
    begin(chosen) {
      if (!chosen || model.get("busy")) return;
      file = chosen;
      model.send({ kind: "begin", name: file.name, size: file.size });
    },
    async next({ offset }) {
      const sent = file;
      try {
        const piece = await sent?.slice(offset, offset + model.get("piece_bytes")).arrayBuffer();
        if (piece && sent === file) model.send({ kind: "piece", offset }, undefined, [piece]);
      } catch (error) {
        model.send({ kind: "unreadable", reason: error.message });
      }
    },
  };
}

/** Asks for a stem piece by piece and hands it to the browser as a download. */
function saver(model) {
  const begun = new Map(); // name → file name, and what has arrived
  const ask = (stem, offset) => model.send({ kind: "fetch", stem, offset });
  return {
    begin({ name, file }) {
      begun.set(name, { file, blob: new Blob() });
      ask(name, 0);
    },
    take({ stem, offset, last }, piece) {
      const state = begun.get(stem);
      if (offset !== state?.blob.size) return;
      state.blob = new Blob([state.blob, piece]);
      if (!last) return ask(stem, state.blob.size);
      begun.delete(stem);
      const url = URL.createObjectURL(state.blob);
      make("a", { href: url, download: state.file }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    },
  };
}
