// A song through the layers of a U-net: its stages as a U, and the feature maps of the chosen one.

import { make, svg } from "./page.js";
import { decimal, onWidth, plain, radios, significant, stepped, ticks } from "./plots.js";

const STYLE = `
.net-u { display: grid; grid-template-columns: 1fr minmax(4.6em, 0.5fr) 1fr; gap: 15px 0; margin: 10px 0 4px; }
.dann .net-stage { position: relative; display: block; min-height: 44px; padding: 3px 8px 5px; text-align: left;
  line-height: 1.25; }
.dann .net-stage[aria-checked="true"], .dann .net-map[aria-checked="true"] { border-color: var(--accent);
  background: var(--chosen); box-shadow: 0 0 0 2px var(--accent); }
.net-stage b { display: block; font-weight: 600; }
.net-stage span { font-size: 12px; color: var(--quiet); }
.net-stage i { display: block; height: 6px; margin-top: 3px; border: 1px solid var(--quiet); }
.net-stage::after { position: absolute; left: 0; right: 0; color: var(--quiet); text-align: center; font-size: 12px;
  line-height: 1; }
.net-down::after { content: "↓"; bottom: -14px; }
.net-stage.net-last::after { content: "↘"; left: auto; right: 4px; }
.net-turn::after { content: "↗"; top: -14px; text-align: right; }
.net-up::after { content: "↑"; top: -14px; }
.net-link { align-self: center; text-align: center; font-size: 12px; color: var(--ink); line-height: 1.2; }
.net-link hr { height: 0; margin: 2px 5px; border: 0; border-top: 2px dashed #b36b00; }
.net-link hr.net-plain { border-top: 1px solid var(--quiet); }
.net-maps { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0; }
.dann .net-map { width: 78px; padding: 3px 3px 1px; font-size: 11px; line-height: 1.25; }
.net-map svg { width: 100%; height: 48px; }
.net-picture, .net-map svg { image-rendering: pixelated; }
.net-large { max-width: 640px; margin: 6px 0 0; }
.net-large text { fill: var(--ink); font-size: 12px; }
.net-large figcaption { min-height: 2.9em; font-size: 13px; }
.net-axis { stroke: var(--quiet); fill: none; }
.net-cross { stroke: #2fc79a; stroke-width: 1.5; fill: none; paint-order: stroke; }
`;

const MARGIN = { left: 52, right: 10, top: 8, bottom: 78 };

function render({ model, el }) {
  const [stages, links, colours] = [model.get("stages"), model.get("links"), model.get("colours")];
  const state = { stage: 0, map: 0, place: null };
  const panel = make("div", { class: "net-panel" });
  const said = make("p", { class: "dann-hidden", role: "status" });
  const buttons = stages.map((stage) => stageButton(stage, colours));
  const large = makeLarge(state, stages, said);

  function choose(index, map = 0) {
    Object.assign(state, { stage: index, map, place: null });
    markStage(index);
    showStage();
  }

  function showStage() {
    const stage = stages[state.stage];
    const maps = stage.maps.map((_, index) => mapButton(stage, index));
    const group = make("div", { class: "net-maps", role: "radiogroup", "aria-label": `Planes of ${stage.name}` }, ...maps);
    const mark = radios(maps, (index) => {
      Object.assign(state, { map: index, place: null });
      mark(index);
      large.draw();
    });
    mark(state.map);
    panel.replaceChildren(
      make("h3", { class: "net-heading", text: `${stage.name}: ${sizeOf(stage)}` }),
      make("p", { text: stage.words }),
      make("p", { class: "dann-quiet net-resolution", text: resolution(stage) }),
      group,
    );
    large.draw();
  }

  const markStage = radios(buttons, (index) => choose(index));
  el.replaceChildren(
    make("style", { text: STYLE }),
    make("h3", { text: model.get("title") }),
    layOut(buttons, stages, links),
    make("p", { class: "dann-quiet", text: `${model.get("legend")} Choose a stage: click, or Tab and arrow keys.` }),
    panel, large.element, said,
  );
  choose(stages.findIndex((stage) => stage.name === "Encoder 1"));
  onWidth(el, large.draw);
}

/** The stages in the shape of a U: the way down on the left, the way up on the right, the skips between. */
function layOut(buttons, stages, links) {
  const rows = Math.max(...stages.map((stage) => stage.row));
  const grid = make("div", { class: "net-u", role: "radiogroup", "aria-label": "Stages of the network" });
  stages.forEach((stage, index) => {
    const inwards = `${Math.max(0, stage.row - 2) * 3}%`;
    const place = { left: `1`, right: `3`, middle: "1 / 4" }[stage.side];
    const margin = { left: `0 0 0 ${inwards}`, right: `0 ${inwards} 0 0`, middle: "0 26%" }[stage.side];
    buttons[index].classList.toggle("net-last", stage.role === "encoder" && stage.row === rows - 1);
    buttons[index].style.cssText = `grid-column: ${place}; grid-row: ${stage.row + 1}; margin: ${margin};`;
    grid.append(buttons[index]);
  });
  grid.append(make("div", { class: "net-link", style: "grid-column: 1; grid-row: 2;", text: "↓ into the network" }));
  for (let row = 0; row < rows; row += 1) {
    const link = links.find((each) => each.row === row);
    if (!link) continue;
    const parts = [make("span", { text: link.name }), make("hr", { class: link.skip ? "" : "net-plain" })];
    if (link.maps) parts.push(make("span", { class: "dann-quiet", text: `${link.maps} maps →` }));
    grid.append(make("div", { class: "net-link", style: `grid-column: 2; grid-row: ${row + 1};` }, ...parts));
  }
  return grid;
}

function stageButton(stage, colours) {
  const bar = make("i", { style: `width:${stage.bar}%;background:${colours[stage.role]}` });
  const way = { encoder: " net-down", bottleneck: " net-turn", decoder: " net-up", masks: " net-up" }[stage.role] ?? "";
  return make(
    "button", { type: "button", class: `net-stage${way}`, "aria-label": `${stage.name}, ${sizeOf(stage)}` },
    make("b", { text: stage.name }), make("span", { text: `${stage.n_planes} × ${stage.bins} × ${stage.frames}` }), bar,
  );
}

function mapButton(stage, index) {
  const map = stage.maps[index];
  return make("button", { type: "button", class: "net-map", "aria-label": `${map.name}, ${statistics(stage, map)}` },
    crop(stage, index, { preserveAspectRatio: "none", "aria-hidden": "true" }), map.name);
}

/** One plane out of the picture that holds all planes of a stage below each other. */
function crop(stage, index, attributes) {
  const [width, height] = [stage.width, stage.height];
  const whole = { width, height: height * stage.maps.length, class: "net-picture" };
  return svg("svg", { viewBox: `0 ${index * height} ${width} ${height}`, ...attributes },
    svg("image", { href: `data:image/png;base64,${stage.sheet}`, ...whole }));
}

/** The chosen plane with axes of time and frequency; a cross, moved by pointer or arrow keys, says where it is. */
function makeLarge(state, stages, said) {
  const holder = make("div");
  const caption = make("figcaption", { class: "dann-quiet net-caption" });
  const element = make("figure", { class: "net-large" }, holder, caption);

  function draw() {
    const width = Math.min(640, element.clientWidth || 640);
    const stage = stages[state.stage];
    const box = { width: width - MARGIN.left - MARGIN.right, height: 220 };
    const area = crop(stage, state.map, {
      x: MARGIN.left, y: MARGIN.top, width: box.width, height: box.height, preserveAspectRatio: "none", class: "net-picture",
    });
    const cross = svg("path", { class: "net-cross" });
    const picture = svg("svg", {
      width, height: box.height + MARGIN.top + MARGIN.bottom, tabindex: 0, role: "img", class: "net-plot",
      "aria-label": `${stage.name}, ${stage.maps[state.map].name}: time across, frequency upwards. Arrow keys move a cross.`,
    }, area, ...axes(stage, box), ...colourBar(stage, box), cross);
    picture.addEventListener("pointermove", (event) => {
      const seen = picture.getBoundingClientRect();
      const across = (event.clientX - seen.left - MARGIN.left) / box.width;
      const up = 1 - (event.clientY - seen.top - MARGIN.top) / box.height;
      if (across < 0 || across >= 1 || up < 0 || up >= 1) return;
      state.place = [Math.floor(across * stage.width), Math.floor(up * stage.height)];
      point();
    });
    picture.addEventListener("keydown", (event) => {
      const [column, row] = state.place ?? [Math.floor(stage.width / 2), Math.floor(stage.height / 2)];
      const upright = event.key === "ArrowUp" || event.key === "ArrowDown";
      const moved = upright ? stepped(event, row, stage.height) : stepped(event, column, stage.width);
      if (moved === null) return;
      state.place = upright ? [column, moved] : [moved, row];
      point();
      said.textContent = caption.lastChild.textContent;
    });

    function point() {
      const [column, row] = state.place;
      const x = MARGIN.left + ((column + 0.5) / stage.width) * box.width;
      const y = MARGIN.top + (1 - (row + 0.5) / stage.height) * box.height;
      cross.setAttribute("d", `M${x},${MARGIN.top}v${box.height}M${MARGIN.left},${y}h${box.width}`);
      const [time, hz] = [((column + 0.5) / stage.width) * stage.seconds, ((row + 0.5) / stage.height) * stage.top_hz];
      describe(stage, `Cross at ${decimal(time, 2)} s, ${decimal(hz, 0)} Hz.`);
    }
    holder.replaceChildren(picture);
    describe(stage, "");
  }

  function describe(stage, place) {
    const map = stage.maps[state.map];
    caption.replaceChildren(`${stage.name}, ${map.name}: ${statistics(stage, map)}. `, place);
  }
  return { element, draw };
}

function axes(stage, box) {
  const parts = [svg("rect", { x: MARGIN.left, y: MARGIN.top, width: box.width, height: box.height, class: "net-axis" })];
  const bottom = MARGIN.top + box.height;
  for (const second of ticks(0, stage.seconds, 5)) {
    const x = MARGIN.left + (second / stage.seconds) * box.width;
    parts.push(svg("path", { d: `M${x},${bottom}v4`, class: "net-axis" }),
      svg("text", { x, y: bottom + 16, "text-anchor": "middle", text: plain(second) }));
  }
  for (const hz of ticks(0, stage.top_hz * 1.005, 4)) {
    const y = bottom - (hz / stage.top_hz) * box.height;
    parts.push(svg("path", { d: `M${MARGIN.left - 4},${y}h4`, class: "net-axis" }),
      svg("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end", text: decimal(hz, 0) }));
  }
  parts.push(svg("text", { x: MARGIN.left + box.width / 2, y: bottom + 32, "text-anchor": "middle", text: "time (s)" }),
    svg("text", { x: 12, y: MARGIN.top + box.height / 2, "text-anchor": "middle", text: "frequency (Hz)",
      transform: `rotate(-90 12 ${MARGIN.top + box.height / 2})` }));
  return parts;
}

/** The colours of a stage with the values that they stand for. */
function colourBar(stage, box) {
  const [y, count] = [MARGIN.top + box.height + 44, stage.colours.length];
  const step = box.width / count;
  const parts = stage.colours.map((fill, index) =>
    svg("rect", { x: MARGIN.left + index * step, y, width: step + 0.5, height: 9, fill }));
  stage.marks.forEach(([share, text], index) => {
    const anchor = index === 0 ? "start" : index === stage.marks.length - 1 ? "end" : "middle";
    parts.push(svg("text", { x: MARGIN.left + share * box.width, y: y + 23, "text-anchor": anchor, text }));
  });
  return parts;
}

const sizeOf = (stage) => `${stage.n_planes} ${stage.planes} of ${stage.bins} bins × ${stage.frames} frames`;

function resolution(stage) {
  const shown = stage.maps.length < stage.n_planes ? ` Shown are the ${stage.maps.length} that vary most.` : "";
  const steps = `${decimal(stage.bin_hz, 1)} Hz apart, neighbouring frames ${decimal(stage.frame_s, 2)} s`;
  return `Neighbouring bins are ${steps}.${shown}`;
}

function statistics(stage, map) {
  const zero = map.zero === null ? "" : `, zero in ${decimal(100 * map.zero, 0)} % of all places`;
  return `values from ${significant(map.low)} to ${significant(map.high)}${stage.unit}${zero}`;
}

export default { render };
