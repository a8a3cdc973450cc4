// Every way to change a mask: brush, rectangle, threshold, all at once; and undo.

import { button, group, number } from "./controls.js";
import { copyMask, fullMask, nearEllipse, setWhere } from "./masks.js";
import { make } from "./page.js";

const PARTS = { both: ["real", "imag"], real: ["real"], imag: ["imag"] };
const UNDO_STEPS = 30;

export const BRUSH_STYLE = `
.dann .dann-picture:has(> .dann-brush) canvas { cursor: crosshair; }
.dann-picture:has(> .dann-brush) { overflow: hidden; }
.dann-brush { position: absolute; left: 0; top: 0; border: 2px solid #fff; border-radius: 50%;
  box-shadow: 0 0 0 1px #000a, inset 0 0 0 1px #000a; pointer-events: none; }
`;

/** The mask, and every way to change it; a step is what one undo takes back. */
export function makeEdits(shape, settings, onChange) {
  const past = [];
  let mask = fullMask(shape.real.length), beforeThreshold = null;
  const parts = () => PARTS[settings.parts];

  function step() {
    beforeThreshold = null;
    past.push(copyMask(mask));
    if (past.length > UNDO_STEPS) past.shift();
  }
  const edit = (change) => (...values) => {
    step();
    change(...values);
    onChange();
  };
  const setParts = (next) => parts().forEach((part) => mask[part].set(next[part]));
  return {
    get mask() {
      return mask;
    },
    canUndo: () => past.length > 0,
    undo() {
      if (past.length) mask = past.pop();
      beforeThreshold = null;
      onChange();
    },
    begin: step,
    /** Sets the chosen places, as a part of the step that `begin` opened. */
    paint(value, chosen) {
      setWhere(mask, parts(), value, shape, chosen);
      onChange();
    },
    set: edit((value, chosen) => setWhere(mask, parts(), value, shape, chosen)),
    fill: edit((value) => setParts(fullMask(shape.real.length, value))),
    take: edit((ideal) => setParts(ideal)),
    /** Erases quieter places; moving the threshold on changes the same step. */
    threshold(magnitude, least) {
      if (!beforeThreshold) {
        step();
        beforeThreshold = copyMask(mask);
      }
      setParts(beforeThreshold);
      for (const part of parts()) magnitude.forEach((value, i) => value < least && (mask[part][i] = 0));
      onChange();
    },
  };
}

/** Lets a pointer paint on a picture (`picture.js`). */
export function paintWith(picture, edits, settings) {
  const ring = make("div", { class: "dann-brush", hidden: "" });
  picture.element.append(ring);
  picture.canvas.style.touchAction = "none";
  let last = null;

  function dab(event) {
    const end = picture.place(event), start = last ?? end;
    const [width, height] = [settings.brush * end.framesPerPixel, settings.brush * end.binsPerPixel];
    const nSteps = Math.ceil(2 * Math.max(
      Math.abs(end.frame - start.frame) / width, Math.abs(end.bin - start.bin) / height, 0.5));
    const touched = Array.from({ length: nSteps }, (_, i) => {
      const share = (i + 1) / nSteps;
      const frame = start.frame + share * (end.frame - start.frame), bin = start.bin + share * (end.bin - start.bin);
      return nearEllipse(frame, bin, width, height);
    });
    edits.paint(settings.paints, (frame, bin) => touched.some((near) => near(frame, bin)));
    last = end;
  }

  picture.canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    picture.canvas.setPointerCapture(event.pointerId);
    edits.begin();
    dab(event);
  });
  picture.canvas.addEventListener("pointermove", (event) => {
    const box = picture.element.getBoundingClientRect();
    ring.hidden = false;
    ring.style.width = ring.style.height = `${2 * settings.brush}px`;
    const [x, y] = [event.clientX - box.left - settings.brush, event.clientY - box.top - settings.brush];
    ring.style.transform = `translate(${x}px, ${y}px)`;
    if (last) dab(event);
  });
  for (const name of ["pointerup", "pointercancel"]) picture.canvas.addEventListener(name, () => (last = null));
  picture.canvas.addEventListener("pointerleave", () => (ring.hidden = true));
}

/** A rectangle in numbers: what the brush does, by keyboard. */
export function rectangle({ scene, rate }, edits) {
  const seconds = { min: 0, max: Number(scene.durationS.toFixed(2)), step: 0.1 };
  const hertz = { min: 0, max: rate / 2, step: 10 };
  const fields = [
    number("from", { ...seconds, value: 0 }), number("to (s)", { ...seconds, value: seconds.max }),
    number("from", { ...hertz, value: 0 }), number("to (Hz)", { ...hertz, value: 200 }),
  ];
  ["start in s", "end in s", "lowest frequency in Hz", "highest frequency in Hz"].forEach(
    (name, i) => fields[i].querySelector("input").setAttribute("aria-label", name));
  const inside = () => {
    const [start, end, low, high] = fields.map((field) => field.querySelector("input").valueAsNumber);
    return (frame, bin) => {
      const s = frame * scene.frameS, hz = bin * scene.binHz;
      return s >= start && s <= end && hz >= low && hz <= high;
    };
  };
  return make("details", {}, make("summary", { text: "A rectangle in numbers (without the brush)" }),
    group("Rectangle", ...fields,
      button("Erase it", () => edits.set(0, inside())),
      button("Keep it", () => edits.set(1, inside())),
      button("Erase the rest", () => {
        const within = inside();
        edits.set(0, (frame, bin) => !within(frame, bin));
      })));
}
