// Figure 9 where each point says whose it is, and plays its song's estimate and truth where there is sound.

import { button, choice } from "./controls.js";
import { DOT_STYLE, dotPanel } from "./dots.js";
import { make } from "./page.js";
import { makePair } from "./pair.js";
import { decimal, scrolling, table } from "./plots.js";

const STYLE = `${DOT_STYLE}
.sco-panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 8px 12px; margin: 8px 0; }
.sco-panels h4 { margin: 0 0 2px; font-size: 14px; border-bottom: 4px solid; }
.sco-panels > div { min-width: 0; }
.sco-legend { display: flex; flex-wrap: wrap; gap: 2px 16px; }
.sco-key { display: inline-block; width: 30px; border-top: 2px solid var(--ink); margin: 0 5px 4px 0; }
.sco-scroll { overflow-x: auto; max-height: 340px; }
.sco table { width: 100%; font-size: 13px; }
.sco th, .sco td { border-bottom: 1px solid var(--line); }
.sco td { font-variant-numeric: tabular-nums; white-space: nowrap; }
.sco-name { min-height: 1.5em; }
.dann .sco label { max-width: 100%; }
.sco select { min-width: 0; }
.sco tr[aria-current="true"] { background: var(--chosen); }
.dann .sco-link { min-height: 26px; padding: 0 6px; border: 0; background: none; text-align: left;
  text-decoration: underline; }
`;
const BY_NAME = "name";
const SILENT = "No sound is stored with these songs: the picture alone.";
const EXPLAIN = "A dot for each song; box: the middle half; thick line and number: the median; the bracket beside it: its "
  + "95 % interval; ▲ or ▼ and a number: a median behind, beyond the picture.";

// A median behind that is farther from all dots than this is written, not drawn: a mixture has hardly any artefacts.
const FAR_DB = 15;

function render({ model, el }) {
  const [songs, sources, sounds] = [model.get("songs"), model.get("sources"), model.get("sounds")];
  const state = { song: 0, source: sources[0].name, sort: "SDR" };
  const name = make("h3", { class: "sco-name", "aria-live": "polite" });
  const values = scrolling("Values of the song", "sco-scroll sco-values");
  const list = scrolling("All songs", "sco-scroll sco-list");
  list.append(listOf(model, (song) => choose(song)));
  const pair = Object.keys(sounds).length ? makePair((source) => choose(state.song, source)) : null;
  const panels = makePanels(model, state, choose, show);
  const bar = makeBar(model, state, choose);

  function choose(song, source = state.source, play = false) {
    Object.assign(state, { song, source });
    panels.forEach((panel) => panel.mark(song));
    bar.refresh();
    show(null);
    for (const row of list.querySelectorAll("tbody tr")) row.ariaCurrent = String(Number(row.dataset.song) === song);
    pair?.load(sounds[songs[song]] ?? null, source, songs[song], play);
  }

  function show(hovered) {
    const song = hovered ?? state.song;
    if (name.textContent !== songs[song]) name.textContent = songs[song];
    values.replaceChildren(valuesOf(model, song));
  }

  el.replaceChildren(make("style", { text: STYLE }), make(
    "div", { class: "sco", onkeydown: (event) => pair?.key(event) },
    make("h3", { text: model.get("title") }), make("div", { class: "sco-panels" }, ...panels.map((panel) => panel.sheet)),
    legendOf(model), bar.element, name, pair?.element ?? make("p", { class: "dann-quiet", text: SILENT }), values,
    make("details", {}, make("summary", { text: `All ${songs.length} songs as a table` }), list),
  ));
  choose(orderOf(model, state, state.source).at(-1));
  return pair?.close;
}

/** Indices of the songs as keys and buttons go through them. */
function orderOf(model, state, source) {
  const all = model.get("songs").map((_, song) => song);
  if (state.sort === BY_NAME) return all;
  const scores = model.get("sources").find((each) => each.name === source).metrics[state.sort].values;
  return all.sort((a, b) => (scores[a] ?? -Infinity) - (scores[b] ?? -Infinity) || a - b);
}

/** A panel of dots for each source, with its medians in words. */
function makePanels(model, state, choose, show) {
  const [songs, sources, metrics] = [model.get("songs"), model.get("sources"), model.get("metrics")];
  const range = rangeOf(sources, metrics);
  return sources.map((source) => {
    const inDb = (metric, song) => {
      const value = source.metrics[metric].values[song];
      return value === null ? `${metric} no value` : `${metric} ${decimal(value, 1)} dB`;
    };
    const panel = dotPanel({
      name: `${source.name}, arrow keys go from song to song`, height: 290, range,
      columns: metrics.map((metric) => ({ name: metric, colour: source.colour, ...source.metrics[metric] })),
      order: () => orderOf(model, state, source.name),
      words: (song) => `${songs[song]}: ${metrics.map((metric) => inDb(metric, song)).join(", ")}`,
      choose: (song, by) => choose(song, source.name, by === "pointer"), hover: show,
    });
    const sheet = make("div", {}, make("h4", { text: source.name, style: `border-color:${source.colour}` }), panel.element,
      make("p", { class: "dann-quiet", text: medians(source, metrics) }));
    return { ...panel, sheet };
  });
}

/** Order, previous, next, and a list to choose from. */
function makeBar(model, state, choose) {
  const songs = model.get("songs");
  const order = () => orderOf(model, state, state.source);
  const step = (by) => {
    const next = order().indexOf(state.song) + by;
    choose(order()[Math.max(0, Math.min(songs.length - 1, next))]);
  };
  const sorts = Object.fromEntries([...model.get("metrics"), BY_NAME].map((name) => [name, name]));
  const sort = choice("Sorted by", sorts, state.sort, (name) => {
    state.sort = name;
    choose(state.song);
  });
  const select = make("select", { "aria-label": "Song", onchange: () => choose(Number(select.value)) });
  const steps = [button("◀ previous", () => step(-1)), button("next ▶", () => step(1))];
  const element = make("div", { class: "dann-bar" }, sort, ...steps, make("label", {}, "Song", select));
  function refresh() {
    select.replaceChildren(...order().map((song) => make("option", { value: song, text: songs[song] })));
    select.value = String(state.song);
    [order()[0], order().at(-1)].forEach((end, at) => { steps[at].disabled = end === state.song; });
  }
  return { element, refresh };
}

/** Limits of the axis: the dots, and what stands behind them unless it is far away. */
function rangeOf(sources, metrics) {
  const all = sources.flatMap((source) => metrics.map((metric) => source.metrics[metric]));
  const own = all.flatMap((each) => each.values).filter((value) => value !== null);
  const [low, high] = [Math.min(...own, 0), Math.max(...own, 0)];
  const behind = all.flatMap((each) => each.behind.map((line) => line.median))
    .filter((value) => value !== null && value > low - FAR_DB && value < high + FAR_DB);
  return [Math.min(low, ...behind) - 1, Math.max(high, ...behind) + 1];
}

function medians(source, metrics) {
  const each = metrics.map((metric) => {
    const { median, low, high } = source.metrics[metric];
    return `${metric} ${decimal(median, 1)}${low === null ? "" : ` [${decimal(low, 1)}, ${decimal(high, 1)}]`}`;
  });
  return `Median and 95 % interval in dB: ${each.join("; ")}.`;
}

function legendOf(model) {
  const lines = model.get("behind").map(({ words, dash }) => {
    const style = dash === "1 3" ? "dotted" : "dashed";
    return make("span", {}, make("span", { class: "sco-key", style: `border-top-style:${style}` }), `median of ${words}`);
  });
  const count = model.get("left_out");
  const missing = count ? [make("span", { text: `${count} values that are not finite are left out.` })] : [];
  return make("p", { class: "dann-quiet sco-legend" }, make("span", { text: EXPLAIN }), ...lines, ...missing);
}

/** The scores of a song, with those of what stands behind. */
function valuesOf(model, song) {
  const [metrics, behind] = [model.get("metrics"), model.get("behind")];
  const rows = model.get("sources").flatMap((source) => {
    const cells = (pick) => metrics.map((metric) => make("td", { text: decimal(pick(source.metrics[metric])[song], 1) }));
    const heading = make("th", { scope: "rowgroup", rowspan: 1 + behind.length, text: source.name });
    return [
      make("tr", { class: "sco-own" }, heading, make("td", { text: model.get("run") }), ...cells((each) => each.values)),
      ...behind.map(({ words }, index) =>
        make("tr", {}, make("td", { text: words }), ...cells((each) => each.behind[index].values))),
    ];
  });
  return table("Scores of the song", ["source", "", ...metrics.map((metric) => `${metric} (dB)`)], rows);
}

function listOf(model, choose) {
  const columns = model.get("sources").flatMap((source) => model.get("metrics").map((metric) => [source, metric]));
  const rows = model.get("songs").map((text, song) => {
    const name = button(text, () => choose(song), { class: "sco-link" });
    const cells = columns.map(([source, metric]) => make("td", { text: decimal(source.metrics[metric].values[song], 1) }));
    return make("tr", { "data-song": song }, make("th", { scope: "row" }, name), ...cells);
  });
  return table("Scores of all songs in dB", ["song", ...columns.map(([source, metric]) => `${source.name} ${metric}`)], rows);
}

export default { render };
