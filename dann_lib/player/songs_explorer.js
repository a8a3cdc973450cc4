// Figure 9 where each point says whose it is, and plays its song's estimate and truth where there is sound.

import { DOT_STYLE, dotPanel } from "./dots.js";
import { make } from "./page.js";
import { makePair } from "./pair.js";
import { decimal, replaceStill } from "./plots.js";

const STYLE = `${DOT_STYLE}
.sco-panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 8px 12px; margin: 8px 0; }
.sco-panels h4 { margin: 0 0 2px; font-size: 14px; border-bottom: 4px solid; }
.sco-panels > div { min-width: 0; }
.sco-key { display: inline-block; width: 30px; border-top: 2px solid var(--ink); margin: 0 5px 4px 0; }
.sco-scroll { overflow-x: auto; max-height: 340px; }
.sco table { width: 100%; font-size: 13px; }
.sco th, .sco td { border-bottom: 1px solid var(--line); }
.sco td { font-variant-numeric: tabular-nums; white-space: nowrap; }
.sco-name { min-height: 1.5em; }
.dann .sco label { max-width: 100%; }
.sco select { min-width: 0; }
.sco tr[aria-current="true"] { background: var(--chosen); }
.dann .sco-link { min-height: 26px; padding: 0 6px; border: 0; background: none; text-align: left; text-decoration: underline; }
`;
const BY_NAME = "name";

// A median behind that is farther from all dots than this is written, not drawn: a mixture has hardly any artefacts.
const FAR_DB = 15;

function render({ model, el }) {
  const [songs, sources, metrics] = [model.get("songs"), model.get("sources"), model.get("metrics")];
  const sounds = model.get("sounds");
  const state = { song: 0, source: sources[0].name, sort: "SDR", hovered: null };
  const name = make("h3", { class: "sco-name", "aria-live": "polite" });
  const [values, list] = [make("div", { class: "sco-scroll sco-values", tabindex: 0, role: "region", "aria-label": "Values of the song" }), make("div", { class: "sco-scroll sco-list", tabindex: 0, role: "region", "aria-label": "All songs" })];
  const select = make("select", { "aria-label": "Song", onchange: () => choose(Number(select.value)) });
  const pair = Object.keys(sounds).length ? makePair((source) => choose(state.song, source)) : null;

  const orderOf = (source) => {
    const all = songs.map((_, song) => song);
    if (state.sort === BY_NAME) return all;
    const scores = sources.find((each) => each.name === source).metrics[state.sort].values;
    return all.sort((a, b) => (scores[a] ?? -Infinity) - (scores[b] ?? -Infinity) || a - b);
  };
  const range = rangeOf(sources, metrics);
  const panels = sources.map((source) => dotPanel({
    name: `${source.name}, arrow keys go from song to song`, height: 290, range,
    columns: metrics.map((metric) => ({ name: metric, colour: source.colour, ...source.metrics[metric] })),
    order: () => orderOf(source.name),
    words: (song) => `${songs[song]}: ${metrics.map((metric) => `${metric} ${inDb(source.metrics[metric].values[song])}`).join(", ")}`,
    choose: (song, by) => choose(song, source.name, by === "pointer"),
    hover: (song) => show(song),
  }));

  function choose(song, source = state.source, play = false) {
    Object.assign(state, { song, source });
    panels.forEach((panel) => panel.mark(song));
    fillSelect();
    show(null);
    for (const row of list.querySelectorAll("tbody tr")) {
      if (Number(row.dataset.song) === song) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    pair?.load(sounds[songs[song]] ?? null, source, songs[song], play);
    model.set("song", songs[song]);
    model.save_changes();
  }

  function fillSelect() {
    const order = orderOf(state.source);
    select.replaceChildren(...order.map((song) => make("option", { value: song, text: songs[song] })));
    select.value = String(state.song);
  }

  function show(hovered) {
    const song = hovered ?? state.song;
    if (name.textContent !== songs[song]) name.textContent = songs[song];
    values.replaceChildren(valuesOf(song, sources, metrics, model.get("run"), model.get("behind")));
  }

  const step = (by) => {
    const order = orderOf(state.source);
    const next = order.indexOf(state.song) + by;
    choose(order[Math.max(0, Math.min(order.length - 1, next))]);
  };
  const sort = make("select", { "aria-label": "Sorted by", onchange: () => { state.sort = sort.value; choose(state.song); } },
    ...[...metrics, BY_NAME].map((value) => make("option", { value, text: value, selected: value === state.sort ? "" : null })));
  list.append(listOf(songs, sources, metrics, (song) => choose(song)));
  const host = make("div", { class: "sco-panels" }, ...sources.map((source, index) => make("div", {},
    make("h4", { text: source.name, style: `border-color:${source.colour}` }), panels[index].element, make("p", { class: "dann-quiet", text: medians(source, metrics) }))));
  const body = make("div", { class: "sco", onkeydown: (event) => pair?.key(event) },
    make("h3", { text: model.get("title") }), host, legendOf(model.get("behind"), model.get("left_out")),
    make("div", { class: "dann-bar" },
      make("label", {}, "Sorted by", sort), make("button", { type: "button", text: "◀ previous", onclick: () => step(-1) }),
      make("button", { type: "button", text: "next ▶", onclick: () => step(1) }), make("label", {}, "Song", select)),
    name, ...(pair ? [pair.element] : [make("p", { class: "dann-quiet", text: "No sound is stored with these songs: the picture alone." })]), values,
    make("details", {}, make("summary", { text: `All ${songs.length} songs as a table` }), list));
  el.replaceChildren(make("style", { text: STYLE }), body);
  const first = songs.indexOf(model.get("song"));
  choose(first < 0 ? orderOf(state.source).at(-1) : first);
  const ends = [replaceStill(), ...panels.map((panel) => panel.close), () => pair?.close()];
  return () => ends.forEach((end) => end());
}

const inDb = (value) => (value === null ? "no value" : `${decimal(value, 1)} dB`);

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

function legendOf(behind, leftOut) {
  const lines = behind.map(({ words, dash }) => {
    const style = { "": "solid", "1 3": "dotted" }[dash] ?? "dashed";
    return make("span", {}, make("span", { class: "sco-key", style: `border-top-style:${style}` }), `median of ${words}`);
  });
  const words = make("span", { text: "A dot for each song; box: the middle half; thick line and number: the median; the bracket beside it: its 95 % interval; ▲ or ▼ and a number: a median behind, beyond the picture." });
  const missing = leftOut ? [make("span", { text: `${leftOut} values that are not finite are left out.` })] : [];
  return make("p", { class: "dann-quiet", style: "display:flex;flex-wrap:wrap;gap:2px 16px" }, words, ...lines, ...missing);
}

/** The scores of a song, with those of what stands behind. */
function valuesOf(song, sources, metrics, run, behind) {
  const rows = sources.flatMap((source) => [{ name: run, of: (metric) => source.metrics[metric].values[song] },
    ...behind.map((each, index) => ({ name: each.words, of: (metric) => source.metrics[metric].behind[index].values[song] }))]
    .map((row, index, all) => make("tr", { class: index ? "" : "sco-own" },
      ...(index ? [] : [make("th", { scope: "rowgroup", rowspan: all.length, text: source.name })]),
      make("td", { text: row.name }), ...metrics.map((metric) => make("td", { text: decimal(row.of(metric), 1) })))));
  return make("table", {}, make("thead", {}, make("tr", {},
    ...["source", "", ...metrics.map((metric) => `${metric} (dB)`)].map((text) => text ? make("th", { scope: "col", text }) : make("td")))), make("tbody", {}, ...rows));
}

function listOf(songs, sources, metrics, choose) {
  const rows = songs.map((name, song) => make("tr", { "data-song": song },
    make("th", { scope: "row" }, make("button", { type: "button", class: "sco-link", text: name, onclick: () => choose(song) })),
    ...sources.flatMap((source) => metrics.map((metric) => make("td", { text: decimal(source.metrics[metric].values[song], 1) })))));
  const heads = sources.flatMap((source) => metrics.map((metric) => make("th", { scope: "col", text: `${source.name} ${metric}` })));
  return make("table", {}, make("caption", { class: "dann-hidden", text: "Scores of all songs in dB" }),
    make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "song" }), ...heads)), make("tbody", {}, ...rows));
}

export default { render };
