// A song of one's own: the file goes to Python piece by piece, the stems come back the same way.
import { make } from "./page.js";

const KINDS = "audio/*,video/mp4,.wav,.flac,.mp3,.ogg,.opus,.m4a,.aac,.aiff,.mp4";

export default {
  render({ model, el }) {
    if (!model.get("live")) {
      el.append(make("p", { class: "dann-alert", text: "This panel needs Python behind it: run the cell." }));
      return;
    }
    const parts = build(el, model);
    const sending = sender(model, parts);
    const saving = saver(model);
    const update = () => show(model, parts, saving);
    const onMessage = (message, buffers) => {
      if (message.kind === "next") sending.next(message.offset);
      if (message.kind === "piece") saving.take(message, buffers[0]);
    };
    for (const name of ["phase", "message", "share", "player", "stems"]) model.on(`change:${name}`, update);
    model.on("msg:custom", onMessage);
    listen(parts, sending, model);
    update();
    return () => {
      for (const name of ["phase", "message", "share", "player", "stems"]) model.off(`change:${name}`, update);
      model.off("msg:custom", onMessage);
    };
  },
};

function build(el, model) {
  const input = make("input", { type: "file", accept: KINDS, class: "dann-hidden", tabindex: "-1", "aria-hidden": "true" });
  const choose = make("button", { type: "button", text: "Choose a song …" });
  const hint = make("span", { class: "dann-quiet", text: "or drop one here. WAV, FLAC, MP3, OGG, M4A; any length." });
  const weights = make("select", {}, ...model.get("weights").map((name) => make("option", { value: name, text: name })));
  weights.value = model.get("chosen");
  const network = make("label", {}, "Network", weights);
  network.hidden = model.get("weights").length < 2;
  const zone = make("div", { class: "dann-bar dann-drop", role: "group", "aria-label": "A song of your own" },
    choose, hint, network, input);
  zone.style.cssText = "padding:18px;border:2px dashed var(--line);border-radius:10px";
  const bar = make("progress", { max: "1", "aria-label": "Progress", style: "flex:1 1 12em;min-width:8em" });
  const cancel = make("button", { type: "button", text: "Cancel" });
  const progress = make("div", { class: "dann-bar" }, bar, cancel);
  const status = make("p", { role: "status", "aria-live": "polite" });
  const alert = make("p", { class: "dann-alert", role: "alert" });
  const stems = make("div");
  const downloads = make("div", { class: "dann-bar", role: "group", "aria-label": "Download" });
  el.append(make("h3", { text: model.get("title") }), zone, progress, status, alert, stems, downloads);
  return { input, choose, weights, zone, bar, cancel, progress, status, alert, stems, downloads };
}

function listen(parts, sending, model) {
  parts.choose.addEventListener("click", () => parts.input.click());
  parts.input.addEventListener("change", () => {
    if (parts.input.files.length) sending.start(parts.input.files[0]);
    parts.input.value = "";
  });
  parts.weights.addEventListener("change", () => {
    model.set("chosen", parts.weights.value);
    model.save_changes();
  });
  parts.cancel.addEventListener("click", () => sending.cancel());
  const light = (on) => (parts.zone.style.borderColor = on ? "var(--accent)" : "var(--line)");
  parts.zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.stopPropagation();
    light(true);
  });
  parts.zone.addEventListener("dragleave", () => light(false));
  parts.zone.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    light(false);
    if (event.dataTransfer.files.length) sending.start(event.dataTransfer.files[0]);
  });
}

/** Sends a file a piece at a time, each when Python has taken the one before. */
function sender(model, parts) {
  let file = null;
  const say = (text) => (parts.alert.textContent = text);
  return {
    start(chosen) {
      file = chosen;
      say("");
      model.send({ kind: "begin", name: file.name, size: file.size });
    },
    async next(offset) {
      const sent = file;
      if (!sent) return;
      try {
        const piece = await sent.slice(offset, offset + model.get("piece_bytes")).arrayBuffer();
        if (sent === file) model.send({ kind: "piece", offset }, undefined, [piece]);
      } catch (error) {
        file = null;
        say(`${sent.name} cannot be read: ${error.message}. Was it moved, or is it a folder?`);
        model.send({ kind: "cancel" });
      }
    },
    cancel() {
      file = null;
      model.send({ kind: "cancel" });
    },
  };
}

/** Fetches a stem piece by piece and hands it to the browser as a download. */
function saver(model) {
  const pieces = new Map();
  return {
    start(stem) {
      if (pieces.has(stem.name)) return;
      pieces.set(stem.name, { file: stem.file, taken: 0, parts: [] });
      model.send({ kind: "fetch", stem: stem.name, offset: 0 });
    },
    take(message, view) {
      const state = pieces.get(message.stem);
      if (!state || message.offset !== state.taken) return;
      state.parts.push(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
      state.taken += view.byteLength;
      if (!message.last) {
        model.send({ kind: "fetch", stem: message.stem, offset: state.taken });
        return;
      }
      pieces.delete(message.stem);
      const url = URL.createObjectURL(new Blob(state.parts));
      make("a", { href: url, download: state.file }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    },
  };
}

function show(model, parts, saving) {
  const [phase, message] = [model.get("phase"), model.get("message")];
  const busy = phase === "receiving" || phase === "separating";
  parts.progress.hidden = !busy;
  parts.progress.style.display = busy ? "" : "none";
  parts.choose.disabled = parts.weights.disabled = busy;
  parts.bar.value = model.get("share");
  parts.status.textContent = phase === "failed" ? "" : message;
  parts.alert.textContent = phase === "failed" ? message : "";
  if (parts.shown !== model.get("player")) {
    parts.shown = model.get("player");
    parts.stems.innerHTML = parts.shown;
  }
  parts.downloads.replaceChildren(...model.get("stems").map((stem) =>
    make("button", { type: "button", text: `Download ${stem.name} (${(stem.bytes / 1e6).toFixed(1)} MB)`,
      onclick: () => saving.start(stem) })));
}
