// Losses of network variants: which of them and which seeds are drawn is chosen, and a curve leads to its songs.

import { DOT_STYLE, dotPanel } from "./dots.js";
import { make } from "./page.js";
import {
  decimal, logTicks, onWidth, plain, replaceStill, scrolling, significant, stepped, svg, table, ticks,
} from "./plots.js";

const CHOOSE = "Choose a curve, or its name in the table, to see the songs behind it.";
const EXPLAIN = "A dot for each song, mean over the seeds; box: the middle half; thick line and number: the median in dB. "
  + "Arrow keys go from song to song.";

const STYLE = `${DOT_STYLE}
.cur fieldset { display: flex; flex-wrap: wrap; gap: 4px 14px; margin: 6px 0; padding: 4px 10px 6px;
  border: 1px solid var(--line); border-radius: 7px; }
.cur legend { padding: 0 4px; font-size: 13px; color: var(--quiet); }
.cur-key { flex: none; width: 34px; height: 12px; }
.cur-plot { display: block; cursor: crosshair; touch-action: pan-y; }
.cur-plot text { fill: var(--ink); font-size: 12px; }
.cur-grid { stroke: var(--line); }
.cur-line { fill: none; stroke-width: 2; }
.cur-train { stroke-width: 1.2; }
.cur-chosen { stroke-width: 4; }
.cur-band { opacity: 0.18; stroke: none; }
.cur-cross { stroke: var(--quiet); }
.cur-silence { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 1 4; stroke-linecap: round; }
.cur-scroll { overflow-x: auto; }
.cur table { width: 100%; font-size: 13px; }
.dann .cur th, .dann .cur td { padding: 3px 10px 3px 0; border-bottom: 1px solid var(--line);
  vertical-align: middle; white-space: nowrap; }
.cur-songs { margin-top: 14px; }
.cur td { font-variant-numeric: tabular-nums; }
.dann .cur-name[aria-pressed="true"] { border-color: var(--accent); background: var(--chosen); 
  box-shadow: 0 0 0 2px var(--accent); color: var(--ink); }
.dann .cur-name { display: inline-flex; align-items: center; gap: 6px; min-height: 28px; padding: 0 8px; }
`;

const [HEIGHT, MARGIN] = [300, { left: 58, right: 10, top: 10, bottom: 40 }];
const LOSSES = { train: "training songs", test: "test songs" };

function render({ model, el }) {
  const variants = model.get("variants");
  const seeds = [...new Set(variants.flatMap((variant) => variant.seeds.map((each) => each.seed)))].sort((a, b) => a - b);
  const state = {
    names: new Set(model.get("shown")), seeds: new Set(seeds), losses: new Set(model.get("losses")), log: false,
    epoch: null, variant: null, song: null, width: 0,
  };
  const epochs = [...new Set(variants.flatMap((each) => each.seeds.flatMap((run) => run.epochs)))].sort((a, b) => a - b);
  state.epoch = epochs.at(-1);
  const positive = variants.flatMap((each) => each.seeds.flatMap((run) => [...run.train, ...run.test]))
    .every((loss) => loss === null || loss > 0);
  const plot = svg("svg", {
    class: "cur-plot", tabindex: 0, role: "slider", height: HEIGHT, "aria-label": "Epoch",
    "aria-valuemin": epochs[0], "aria-valuemax": epochs.at(-1),
  });
  const [holder, songs] = [make("div", {}, plot), make("div", { class: "cur-songs" })];
  const readout = scrolling("Values", "cur-scroll");
  const songPanel = makeSongs(model, state, songs);

  function redraw() {
    if (!state.width) return;
    const lines = chosenLines(variants, state);
    const scale = makeScale(lines, epochs, state, model.get("silence"));
    plot.setAttribute("width", state.width);
    plot.replaceChildren(
      ...frameOf(scale, model.get("loss")), ...silenceOf(scale, model.get("silence"), state),
      ...lines.flatMap((line) => drawLine(line, scale, state)), svg("path", { class: "cur-cross" }),
    );
    plot.scale = scale;
    point(state.epoch);
  }

  function point(epoch) {
    state.epoch = epoch;
    const lines = chosenLines(variants, state);
    const x = plot.scale.x(epoch);
    plot.lastChild.setAttribute("d", `M${x},${MARGIN.top}V${HEIGHT - MARGIN.bottom}`);
    plot.setAttribute("aria-valuenow", epoch);
    const values = lines.map((line) => `${line.title} ${significant(line.mean.get(epoch))}`);
    plot.setAttribute("aria-valuetext", `epoch ${epoch}: ${values.join(", ") || "nothing is chosen"}`);
    readout.replaceChildren(tableOf(lines, epoch, model, state, chooseVariant));
  }

  function chooseVariant(name, andBack = false) {
    state.variant = name;
    redraw();
    songPanel.show(variants.find((each) => each.name === name));
    if (andBack) readout.querySelector(`button[aria-pressed="true"]`)?.focus();
  }

  plot.addEventListener("pointermove", (event) => point(nearestEpoch(event, plot, epochs)));
  plot.addEventListener("click", (event) => {
    const line = nearestLine(event, plot, chosenLines(variants, state), nearestEpoch(event, plot, epochs));
    if (line) chooseVariant(line.variant.name);
  });
  plot.addEventListener("keydown", (event) => {
    const next = stepped(event, epochs.indexOf(state.epoch), epochs.length);
    if (next !== null) point(epochs[next]);
  });
  const boxes = controls(variants, seeds, state, positive, () => {
    if (state.variant && !state.names.has(state.variant)) chooseVariant(null);
    redraw();
    songPanel.refresh();
  });
  const heading = make("h3", { text: model.get("title") });
  el.replaceChildren(make("style", { text: STYLE }), make("div", { class: "cur" }, heading, ...boxes, holder, readout, songs));
  songPanel.show(null);
  const ends = [onWidth(holder, (width) => { state.width = width; redraw(); }), songPanel.close, replaceStill()];
  return () => ends.forEach((end) => end());
}

function controls(variants, seeds, state, positive, changed) {
  const box = (label, set, value, ...before) => make("label", {}, make("input", {
    type: "checkbox", checked: set.has(value) ? "" : null,
    onchange: (event) => { event.target.checked ? set.add(value) : set.delete(value); changed(); },
  }), ...before, label);
  const group = (legend, ...children) => make("fieldset", {}, make("legend", { text: legend }), ...children);
  const groups = [group("Variants", ...variants.map((each) => box(each.name, state.names, each.name, keyOf(each))))];
  if (seeds.length > 1) {
    const words = "Seeds: with several, the mean and a band from lowest to highest";
    groups.push(group(words, ...seeds.map((seed) => box(`seed ${seed}`, state.seeds, seed))));
  }
  const log = make("label", {}, make("input", {
    type: "checkbox", disabled: positive ? null : "", onchange: (event) => { state.log = event.target.checked; changed(); },
  }), positive ? "logarithmic axis" : "logarithmic axis: none, since some losses are not above zero");
  const kinds = Object.entries(LOSSES).map(([loss, name]) => box(name, state.losses, loss));
  groups.push(group("Losses: thick on test songs, thin on training songs", ...kinds, log));
  return groups;
}

const keyOf = (variant) => svg("svg", { class: "cur-key", "aria-hidden": "true" }, svg("path", {
  d: "M0,6h34", class: "cur-line", style: `stroke:${variant.colour}`, "stroke-dasharray": variant.dash || null,
}));

/** What is to be drawn: mean and range over the chosen seeds for each variant and loss, by epoch. */
function chosenLines(variants, state) {
  const lines = [];
  for (const variant of variants) {
    const runs = variant.seeds.filter((run) => state.seeds.has(run.seed));
    if (!state.names.has(variant.name) || !runs.length) continue;
    for (const loss of ["train", "test"]) {
      if (!state.losses.has(loss)) continue;
      const [mean, range] = [new Map(), new Map()];
      for (const epoch of new Set(runs.flatMap((run) => run.epochs))) {
        const values = runs.map((run) => run[loss][run.epochs.indexOf(epoch)]).filter((value) => Number.isFinite(value));
        if (!values.length) continue;
        mean.set(epoch, values.reduce((sum, value) => sum + value, 0) / values.length);
        range.set(epoch, [Math.min(...values), Math.max(...values)]);
      }
      if (mean.size) lines.push({ variant, loss, mean, range, n: runs.length, title: `${variant.name}, ${LOSSES[loss]},` });
    }
  }
  return lines;
}

function makeScale(lines, epochs, state, silence) {
  const values = lines.flatMap((line) => [...line.range.values()].flat());
  if (silence) for (const loss of state.losses) values.push(silence[loss]);
  let [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const log = state.log;
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 1, high + 1];
  const room = log ? (high / low) ** 0.04 : (high - low) * 0.04;
  [low, high] = log ? [low / room, high * room] : [low - room, high + room];
  const share = log ? (value) => Math.log(value / low) / Math.log(high / low) : (value) => (value - low) / (high - low);
  const [width, height] = [state.width - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const span = Math.max(1, epochs.at(-1) - epochs[0]);
  return {
    low, high, log, epochs, width, height,
    x: (epoch) => MARGIN.left + ((epoch - epochs[0]) / span) * width,
    y: (value) => MARGIN.top + (1 - share(value)) * height,
  };
}

function frameOf(scale, loss) {
  const bottom = MARGIN.top + scale.height;
  const values = scale.log ? logTicks(scale.low, scale.high) : ticks(scale.low, scale.high, 6);
  const parts = values.flatMap((value) => [
    svg("path", { d: `M${MARGIN.left},${scale.y(value)}h${scale.width}`, class: "cur-grid" }),
    svg("text", { x: MARGIN.left - 6, y: scale.y(value) + 4, "text-anchor": "end", text: plain(value) }),
  ]);
  for (const epoch of ticks(scale.epochs[0], scale.epochs.at(-1), Math.max(2, scale.width / 70)).filter(Number.isInteger)) {
    parts.push(svg("text", { x: scale.x(epoch), y: bottom + 16, "text-anchor": "middle", text: String(epoch) }));
  }
  const middle = MARGIN.top + scale.height / 2;
  parts.push(svg("path", { d: `M${MARGIN.left},${bottom}h${scale.width}`, class: "cur-cross" }),
    svg("text", { x: MARGIN.left + scale.width / 2, y: bottom + 33, "text-anchor": "middle", text: "epoch" }),
    svg("text", { x: 12, y: middle, transform: `rotate(-90 12 ${middle})`, "text-anchor": "middle", text: loss }));
  return parts;
}

function silenceOf(scale, silence, state) {
  if (!silence) return [];
  return [...state.losses].flatMap((loss) => {
    const [y, end] = [scale.y(silence[loss]), MARGIN.left + scale.width];
    return [
      svg("path", { d: `M${MARGIN.left},${y}H${end}`, class: "cur-silence" }),
      svg("text", { x: end - 4, y: y - 4, "text-anchor": "end", text: `silence, ${LOSSES[loss]}` }),
    ];
  });
}

function drawLine(line, scale, state) {
  const epochs = [...line.mean.keys()].sort((a, b) => a - b);
  const at = (epoch, value) => `${scale.x(epoch).toFixed(1)},${scale.y(value).toFixed(1)}`;
  const style = `${line.loss === "train" ? " cur-train" : ""}${line.variant.name === state.variant ? " cur-chosen" : ""}`;
  const path = svg("path", {
    d: `M${epochs.map((epoch) => at(epoch, line.mean.get(epoch))).join("L")}`, class: `cur-line${style}`,
    style: `stroke:${line.variant.colour}`, "stroke-dasharray": line.variant.dash || null,
  });
  if (line.n < 2) return [path];
  const there = epochs.map((epoch) => at(epoch, line.range.get(epoch)[1]));
  const back = [...epochs].reverse().map((epoch) => at(epoch, line.range.get(epoch)[0]));
  const band = `M${[...there, ...back].join("L")}Z`;
  return [svg("path", { d: band, class: "cur-band", style: `fill:${line.variant.colour}` }), path];
}

function nearestEpoch(event, plot, epochs) {
  const x = event.clientX - plot.getBoundingClientRect().left;
  return epochs.reduce((best, epoch) => (Math.abs(plot.scale.x(epoch) - x) < Math.abs(plot.scale.x(best) - x) ? epoch : best));
}

function nearestLine(event, plot, lines, epoch) {
  const y = event.clientY - plot.getBoundingClientRect().top;
  let best = { line: null, distance: 16 };
  for (const line of lines.filter((each) => each.mean.has(epoch))) {
    const distance = Math.abs(plot.scale.y(line.mean.get(epoch)) - y);
    if (distance < best.distance) best = { line, distance };
  }
  return best.line;
}

/** The values at the chosen epoch; the name of a variant leads to its songs. */
function tableOf(lines, epoch, model, state, chooseVariant) {
  const head = ["variant", "songs", `epoch ${epoch}`, "lowest and highest seed", "lowest mean"];
  const rows = lines.map((line) => {
    const { variant, mean, range } = line;
    const lowest = [...mean.entries()].reduce((best, entry) => (entry[1] < best[1] ? entry : best));
    const name = variant.scores ? make("button", {
      type: "button", class: "cur-name", "aria-pressed": String(variant.name === state.variant), title: "show its songs",
      onclick: () => chooseVariant(variant.name === state.variant ? null : variant.name, true),
    }, keyOf(variant), variant.name) : make("span", { class: "cur-name" }, keyOf(variant), variant.name);
    const ends = line.n > 1 && range.has(epoch) ? range.get(epoch).map(significant).join(" to ") : "one seed";
    return make("tr", {}, make("th", { scope: "row" }, name), make("td", { text: LOSSES[line.loss] }),
      make("td", { text: significant(mean.get(epoch)) }), make("td", { text: ends }),
      make("td", { text: `${significant(lowest[1])} (epoch ${lowest[0]})` }));
  });
  const nothing = "Nothing is chosen: tick a variant, a seed and a loss.";
  if (!rows.length) rows.push(make("tr", {}, make("td", { colspan: head.length, text: nothing })));
  return table(`${model.get("loss")} at epoch ${epoch}, mean of the chosen seeds`, head, rows);
}

/** The songs behind a variant: a dot for each, and the chosen song in all variants that are drawn. */
function makeSongs(model, state, host) {
  const [variants, songs, sources] = [model.get("variants"), model.get("songs"), model.get("sources")];
  const known = variants.filter((each) => each.scores);
  const all = known.flatMap((each) => Object.values(each.scores).flat()).filter((value) => value !== null);
  let panel = null;
  const sheet = scrolling("Chosen song", "cur-scroll cur-song");

  function show(variant) {
    panel?.close();
    panel = null;
    if (!known.length) return host.replaceChildren();
    if (!variant?.scores) return host.replaceChildren(make("p", { class: "dann-quiet", text: CHOOSE }));
    const first = variant.scores[sources[0].name];
    const order = songs.map((_, song) => song).sort((a, b) => (first[a] ?? -Infinity) - (first[b] ?? -Infinity));
    panel = dotPanel({
      name: `${variant.name}, sorted by ${sources[0].name}`, height: 260, range: [Math.min(...all) - 1, Math.max(...all) + 1],
      columns: sources.map(({ name, colour }) => ({ name, colour, values: variant.scores[name], low: null })),
      order: () => order, words: (song) => `${songs[song]}: ${valuesOf(variant, song)}`,
      choose, hover: (song) => song !== null && list(song),
    });
    host.replaceChildren(
      make("h3", { text: `${variant.name}: ${model.get("metric")} of ${songs.length} songs` }),
      make("p", { class: "dann-quiet", text: EXPLAIN }),
      panel.element, sheet,
    );
    return choose(state.song ?? order[Math.floor(order.length / 2)]);
  }

  function choose(song) {
    state.song = song;
    panel.mark(song);
    list(song);
  }

  function list(song) {
    const rows = known.filter((each) => state.names.has(each.name)).map((each) => {
      const cells = sources.map(({ name }) => make("td", { text: decimal(each.scores[name][song], 1) }));
      return make("tr", {}, make("th", { scope: "row", text: each.name }), ...cells);
    });
    const head = ["variant", ...sources.map(({ name }) => name)];
    const left = { style: "text-align:left;font-weight:600" };
    sheet.replaceChildren(table(`${songs[song]}: ${model.get("metric")} in dB`, head, rows, left));
  }

  const valuesOf = (variant, song) => sources
    .map(({ name }) => `${name} ${decimal(variant.scores[name][song], 1)} dB`).join(", ");
  return { show, refresh: () => panel && list(state.song), close: () => panel?.close() };
}

export default { render };
