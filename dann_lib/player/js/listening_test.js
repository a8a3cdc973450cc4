// A blind listening test: A/B/X, then ratings from 0 to 100, then what was what. The order is drawn here, at random.

import { button } from "./controls.js";
import { make, svg } from "./page.js";
import { decimal } from "./plots.js";
import { decodeSamples, makeListening } from "./sound.js";

const RATE = 8820;
const METRICS = ["sdr", "sir", "sar"];
const WORDS = ["bad", "poor", "fair", "good", "excellent"];
const MARKS = ["●", "■", "▲", "◆", "▼", "✚", "✖", "★"];

export default {
  async render({ model, el }) {
    const items = await decoded(model.get("items"));
    const listening = makeListening((name) => mark(el, name));
    const test = {
      items, listening, reference: model.get("reference"), results: { trials: [], ratings: [] },
      orders: items.map((item) => shuffled(item.versions)),
    };
    const stage = make("div");
    el.append(make("h3", { text: model.get("title") }), stage);
    el.tabIndex = 0;
    const show = (part) => {
      listening.stop();
      stage.replaceChildren(part);
      stage.querySelector("button")?.focus({ preventScroll: true });
    };
    const rate = (index) => (index < items.length
      ? show(ratingPart(test, index, el, () => rate(index + 1)))
      : show(resultsPart(test, el)));
    const pair = model.get("pair");
    stage.append(welcome(test, () => show(abxPart(test, pair, model.get("n_trials"), el, () => rate(0))), () => rate(0)));
    return () => listening.close();
  },
};

/** Items with their sounds as samples. */
async function decoded(items) {
  const sound = async (version) => ({ ...version, waveform: await decodeSamples(version.sound, RATE) });
  return Promise.all(items.map(async (item) => ({ ...item, versions: await Promise.all(item.versions.map(sound)) })));
}

function welcome(test, startTelling, startRating) {
  const n = test.items[0].versions.length;
  return make("div", {},
    make("p", { text: "Put on headphones and set the volume now; leave it as it is until the end. Nothing tells which "
      + "version is which before you have finished. All have the level of the reference and end at 4.41 kHz." }),
    make("div", { class: "dann-bar" },
      button("Begin: tell two versions apart", startTelling),
      button(`Go to the ratings of ${n} versions`, startRating)));
}

/** A sound to listen to: a button that plays it from where the last one was. */
function listenButton(test, name, key, waveform) {
  const text = `Play ${name === key.toUpperCase() ? name : `${name.toLowerCase()} (${key.toUpperCase()})`}`;
  return button(text, () => test.listening.toggle(name, waveform, RATE),
    { "data-sound": name, "aria-pressed": "false", "aria-keyshortcuts": key });
}

function mark(el, playing) {
  for (const button of el.querySelectorAll("[data-sound]")) {
    button.setAttribute("aria-pressed", String(button.dataset.sound === playing));
  }
}

/** A/B/X: X is A or B; `done` is called after the last answer was read. */
function abxPart(test, pair, nTrials, el, done) {
  const hidden = shuffled(pair);
  const trials = test.results.trials;
  const part = make("div");
  const next = () => {
    test.listening.stop();
    if (trials.length === nTrials) return finish();
    const item = test.items[trials.length % test.items.length];
    const [a, b] = hidden.map((name) => item.versions.find((version) => version.name === name).waveform);
    const isA = random(2) === 0;
    const answer = (saidA) => {
      trials.push({ item: item.name, right: saidA === isA });
      next();
    };
    const sounds = { a: ["A", a], b: ["B", b], x: ["X", isA ? a : b] };
    const listen = Object.entries(sounds).map(([key, [name, wave]]) => listenButton(test, name, key, wave));
    const say = [button("X is A (1)", () => answer(true)), button("X is B (2)", () => answer(false))];
    part.replaceChildren(
      make("p", { role: "status", text: `Comparison ${trials.length + 1} of ${nTrials}: ${item.name}. Is X the same as A, or as B?` }),
      make("div", { class: "dann-bar", role: "group", "aria-label": "Listen" }, ...listen),
      make("div", { class: "dann-bar", role: "group", "aria-label": "Answer" }, ...say));
    listen[0].focus({ preventScroll: true });
    onKeys(el, { a: () => listen[0].click(), b: () => listen[1].click(), x: () => listen[2].click(),
      1: () => say[0].click(), 2: () => say[1].click() });
    return undefined;
  };
  const finish = () => {
    const right = trials.filter((trial) => trial.right).length;
    const chance = atLeast(right, nTrials);
    test.results.abx = { pair, right, n: nTrials, chance };
    el.onkeydown = null;
    const go = button("Go on to the ratings", done);
    part.replaceChildren(
      make("p", { role: "status", text: `${right} of ${nTrials} right. Somebody who only guesses is as good or better in `
        + `${decimal(100 * chance)} % of all such tests.` }),
      make("p", { text: chance < 0.05 ? "So you can tell the two apart." : "So it is not shown that you can tell them apart." }), go);
    go.focus({ preventScroll: true });
  };
  next();
  return part;
}

/** Ratings of one item: the open reference, and the versions in an order of their own. */
function ratingPart(test, index, el, done) {
  const item = test.items[index];
  const reference = item.versions.find((version) => version.name === test.reference).waveform;
  const open = listenButton(test, "Reference", "r", reference);
  const keys = { r: () => open.click() };
  const sliders = [];
  const next = button(index + 1 < test.items.length ? "Next excerpt" : "Finish: what was what?", finish, { disabled: "" });
  const rows = test.orders[index].map((version, place) => {
    const name = `Version ${place + 1}`;
    const listen = listenButton(test, name, String(place + 1), version.waveform);
    keys[place + 1] = () => listen.click();
    const value = make("output", { class: "dann-number", style: "min-width:8em", text: "not rated" });
    const slider = make("input", { type: "range", min: 0, max: 100, step: 1, value: 50, "aria-label": `Rating of version ${place + 1}`,
      "aria-valuetext": "not rated", style: "flex:1 1 10em" });
    slider.addEventListener("input", () => {
      slider.dataset.rated = "yes";
      value.textContent = `${slider.value}: ${WORDS[Math.min(4, Math.floor(slider.value / 20))]}`;
      slider.setAttribute("aria-valuetext", value.textContent);
      next.disabled = sliders.some((each) => !each.dataset.rated);
    });
    sliders.push(slider);
    return make("div", { class: "dann-bar", role: "group", "aria-label": name }, listen, slider, value);
  });
  function finish() {
    test.orders[index].forEach((version, place) => test.results.ratings.push({
      item: item.name, version: version.name, rating: Number(sliders[place].value),
      ...Object.fromEntries(METRICS.map((metric, at) => [metric, version.ratios[at]])),
    }));
    done();
  }
  onKeys(el, keys);
  return make("div", {},
    make("p", { role: "status", text: `Excerpt ${index + 1} of ${test.items.length}: ${item.name}. How close is each version to the `
      + "reference? One of them is the reference itself and deserves 100. Rate all by ear; arrows move a slider." }),
    make("div", { class: "dann-bar" }, open), ...rows, make("div", { class: "dann-bar" }, next));
}

/** What was what: tally, table, ratings against the ratios, and a file to keep. */
function resultsPart(test, el) {
  el.onkeydown = null;
  const { ratings, abx } = test.results;
  const names = [...new Set(ratings.map((row) => row.version))];
  const mean = (rows) => rows.reduce((sum, row) => sum + row, 0) / rows.length;
  const head = ["", "version", "rating", ...METRICS.map((metric) => `${metric.toUpperCase()} (dB)`)];
  const body = names.map((name, place) => {
    const rows = ratings.filter((row) => row.version === name);
    const ratios = METRICS.map((metric) => rows.map((row) => row[metric]).filter((value) => value !== null));
    return make("tr", {}, ...[MARKS[place % MARKS.length], name, decimal(mean(rows.map((row) => row.rating)), 0),
      ...ratios.map((values) => (values.length ? decimal(mean(values)) : "–"))].map((text) => make("td", { text })));
  });
  body.sort((one, other) => Number(other.cells[2].textContent) - Number(one.cells[2].textContent));
  const heads = make("tr", {}, ...head.map((text) => make("th", { scope: "col", text })));
  const saved = make("span", { class: "dann-quiet", role: "status" });
  const save = button("Save my results", () => {
    const content = { made: new Date().toISOString(), abx: abx ?? null, trials: test.results.trials, ratings };
    const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
    make("a", { href: url, download: "listening-test.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    saved.textContent = "Saved as listening-test.json in your downloads.";
  });
  const tally = abx ? `Told apart: ${abx.right} of ${abx.n}, ${abx.pair.join(" against ")}.` : "The comparisons were left out.";
  return make("div", {}, make("p", { role: "status", text: `${tally} ${trust(test)}` }),
    make("div", { style: "overflow-x:auto", tabindex: "0", role: "region", "aria-label": "Ratings and ratios" },
      make("table", {}, make("thead", {}, heads), make("tbody", {}, ...body))),
    scatter(ratings, names), make("div", { class: "dann-bar" }, save, saved));
}

/** Whether the hidden reference was found: the check that MUSHRA makes on its listeners. */
function trust(test) {
  const found = test.items.filter((item) => {
    const rows = test.results.ratings.filter((row) => row.item === item.name);
    const best = Math.max(...rows.map((row) => row.rating));
    return rows.find((row) => row.version === test.reference).rating === best;
  }).length;
  return `You gave the hidden reference the best rating in ${found} of ${test.items.length} excerpts.`;
}

/** Ratings against SDR, SIR and SAR, a mark for each version. */
function scatter(ratings, names) {
  const [width, height, left, bottom] = [230, 170, 34, 34];
  const plots = METRICS.map((metric) => {
    const rows = ratings.filter((row) => row[metric] !== null);
    const values = rows.map((row) => row[metric]);
    const [low, high] = [Math.min(...values, 0) - 1, Math.max(...values, 0) + 1];
    const x = (value) => left + ((value - low) / (high - low)) * (width - left - 8);
    const y = (rating) => 8 + (1 - rating / 100) * (height - bottom - 8);
    const line = { stroke: "var(--line)" };
    const text = { fill: "var(--quiet)", "font-size": 11 };
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", style: "flex:1 1 200px;max-width:320px",
      "aria-label": `Ratings against ${metric.toUpperCase()}: ${rows.map((row) => `${row.version} ${row.rating} at ${decimal(row[metric])} dB`).join("; ")}` },
    ...[0, 50, 100].flatMap((tick) => [
      svg("line", { x1: left, x2: width - 8, y1: y(tick), y2: y(tick), ...line }),
      svg("text", { x: left - 5, y: y(tick) + 4, "text-anchor": "end", ...text, text: tick })]),
    ...[low + 1, high - 1].map((value) => svg("text", { x: x(value), y: height - 18, "text-anchor": "middle", ...text, text: decimal(value, 0) })),
    svg("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle", ...text, text: `${metric.toUpperCase()} (dB)` }),
    ...rows.map((row) => svg("text", { x: x(row[metric]), y: y(row.rating) + 5, "text-anchor": "middle", fill: "var(--ink)",
      "font-size": 13, text: MARKS[names.indexOf(row.version) % MARKS.length] })));
  });
  return make("div", { class: "dann-bar", role: "group", "aria-label": "Ratings against the ratios" }, ...plots);
}

function onKeys(el, keys) {
  el.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = keys[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  };
}

/** Probability of at least `right` heads in `n` throws of a coin. */
export function atLeast(right, n) {
  let [ways, sum] = [1, 0];
  for (let k = 0; k <= n; k += 1) {
    if (k >= right) sum += ways;
    ways = (ways * (n - k)) / (k + 1);
  }
  return sum / 2 ** n;
}

function random(below) {
  return crypto.getRandomValues(new Uint32Array(1))[0] % below;
}

function shuffled(values) {
  const order = [...values];
  for (let place = order.length - 1; place > 0; place -= 1) {
    const other = random(place + 1);
    [order[place], order[other]] = [order[other], order[place]];
  }
  return order;
}
