// Sliders that Python answers: what it shows takes the place of what was there, when all of it is ready.
import { button, group, slider } from "./controls.js";
import { make } from "./page.js";

export default {
  render({ model, el }) {
    const chosen = [...model.get("answer").to];
    let asked = false;
    const shown = make("div", {});
    const state = make("span", { class: "dann-quiet", role: "status" });
    const sliders = Object.entries(model.get("choices")).map(([name, texts], place) => slider(
      name, { min: 0, max: texts.length - 1, step: 1, value: chosen[place] }, (at) => texts[at], (at) => {
        chosen[place] = at;
        ask();
      }));
    const ask = () => {
      if (!asked) model.send({ kind: "move", to: chosen }); // and where it is by then, when Python has answered
      asked = true;
      tell();
    };
    const stop = button("Stop after this epoch", () => {
      stop.disabled = true;
      model.send({ kind: "stop" });
    });
    const tell = () => {
      const busy = asked || model.get("working");
      shown.setAttribute("aria-busy", busy);
      state.textContent = busy ? "computing …" : "";
      stop.hidden = !model.get("working");
    };
    const show = async () => {
      const answer = model.get("answer");
      const next = await ready(answer.html, shown);
      if (answer !== model.get("answer")) return;
      shown.replaceChildren(...next);
      asked = false;
      if (String(answer.to) === String(chosen)) tell();
      else ask();
    };
    el.append(group(model.get("title"), ...sliders, stop, state), shown);
    const listeners = Object.entries({ "change:answer": show, "change:working": tell });
    for (const [event, listener] of listeners) model.on(event, listener);
    show();
    return () => listeners.forEach(([event, listener]) => model.off(event, listener));
  },
};

/** HTML as elements, its pictures decoded; a sound goes on where the one in its place in `before` is. */
async function ready(html, before) {
  const next = make("div", {});
  next.innerHTML = html;
  await Promise.all([...next.querySelectorAll("img")].map((image) => image.decode().catch(() => {})));
  const olds = [...before.querySelectorAll("audio")];
  for (const [place, sound] of next.querySelectorAll("audio").entries()) {
    sound.loop = true;
    sound.currentTime = olds[place]?.currentTime ?? 0;
    if (olds[place] && !olds[place].paused) sound.play();
  }
  return next.childNodes;
}
