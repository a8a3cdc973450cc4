// A dot for each song in columns, with box, median and its interval: chosen by pointer or by arrow keys.

import { svg } from "./page.js";
import { decimal, onWidth, spread, stepped, ticks } from "./plots.js";

const MARGIN = { left: 44, right: 6, top: 8, bottom: 42 };

export const DOT_STYLE = `
.dots text { fill: var(--ink); font-size: 12px; }
.dots .dots-grid { stroke: var(--line); }
.dots .dots-zero { stroke: var(--quiet); }
.dots .dots-box { fill: none; stroke: var(--quiet); }
.dots .dots-median { stroke: var(--ink); stroke-width: 2.5; }
.dots .dots-interval { stroke: var(--ink); stroke-width: 1.5; fill: none; }
.dots .dots-behind { stroke: var(--ink); stroke-width: 1.5; }
.dots circle { opacity: 0.6; }
.dots .dots-path { fill: none; stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 3 3; }
.dots .dots-chosen { fill: none; stroke: var(--ink); stroke-width: 2.5; opacity: 1; }
.dots { display: block; cursor: pointer; touch-action: pan-y; }
`;

/**
 * A panel of dots.
 *
 * @param {object} options
 *   `name` of the panel; `columns`: `{name, colour, values, box, median, low, high, behind: [{median, dash}]}` with a
 *   value or null for each song, the quartiles, the median, and ends of its interval, or null; `range` in dB;
 *   `height`; `order()`: indices of songs in the order in which keys step; `words(song)`;
 *   `choose(song, "pointer" or "key")`; `hover(song or null)`.
 * @returns {{element: Element, mark: (song: number) => void}}
 */
export function dotPanel(options) {
  const element = document.createElement("div");
  let [chosen, width] = [null, 0];
  let places = [];
  const ring = svg("g");
  const picture = svg("svg", {
    class: "dots", tabindex: 0, role: "slider", "aria-label": `Song, ${options.name}`, "aria-valuemin": 1,
    "aria-valuemax": options.columns[0].values.length, height: options.height,
  });
  element.append(picture);

  function draw(newWidth) {
    width = newWidth;
    const box = { width: width - MARGIN.left - MARGIN.right, height: options.height - MARGIN.top - MARGIN.bottom };
    const [low, high] = options.range;
    const y = (value) => MARGIN.top + ((high - value) / (high - low)) * box.height;
    const step = box.width / options.columns.length;
    places = options.columns.map((column, index) => column.values.map((value, song) => value === null ? null : [
      MARGIN.left + (index + 0.5 + 0.17 * spread(song)) * step, y(value),
    ]));
    const parts = grid(box, low, high, y);
    options.columns.forEach((column, index) => {
      parts.push(...columnOf(column, MARGIN.left + (index + 0.5) * step, step, y, box, places[index], options.range));
    });
    picture.setAttribute("width", width);
    picture.replaceChildren(...parts, ring);
    if (chosen !== null) mark(chosen);
  }

  function mark(song) {
    chosen = song;
    const points = places.map((column) => column[song]).filter(Boolean);
    const path = points.map(([x, y], index) => `${index ? "L" : "M"}${x},${y}`).join("");
    const circles = points.map(([cx, cy]) => svg("circle", { cx, cy, r: 6.5, class: "dots-chosen" }));
    ring.replaceChildren(svg("path", { class: "dots-path", d: path }), ...circles);
    picture.setAttribute("aria-valuenow", options.order().indexOf(song) + 1);
    picture.setAttribute("aria-valuetext", options.words(song));
  }

  function nearest(event) {
    const seen = picture.getBoundingClientRect();
    const [x, y] = [event.clientX - seen.left, event.clientY - seen.top];
    let best = { song: null, distance: 14 };
    for (const column of places) {
      column.forEach((place, song) => {
        const distance = place ? Math.hypot(place[0] - x, place[1] - y) : Infinity;
        if (distance < best.distance) best = { song, distance };
      });
    }
    return best.song;
  }

  picture.addEventListener("pointermove", (event) => options.hover(nearest(event)));
  picture.addEventListener("pointerleave", () => options.hover(null));
  picture.addEventListener("click", (event) => {
    const song = nearest(event);
    if (song !== null) options.choose(song, "pointer");
  });
  picture.addEventListener("keydown", (event) => {
    const order = options.order();
    const next = stepped(event, order.indexOf(chosen), order.length);
    if (next !== null) options.choose(order[next], "key");
  });
  onWidth(element, draw);
  return { element, mark };
}

function grid(box, low, high, y) {
  const right = MARGIN.left + box.width;
  const parts = ticks(low, high, 6).flatMap((value) => [
    svg("path", { d: `M${MARGIN.left},${y(value)}H${right}`, class: Math.abs(value) < 1e-9 ? "dots-zero" : "dots-grid" }),
    svg("text", { x: MARGIN.left - 5, y: y(value) + 4, "text-anchor": "end", text: decimal(value, 0) }),
  ]);
  const middle = MARGIN.top + box.height / 2;
  const turned = { transform: `rotate(-90 11 ${middle})`, "text-anchor": "middle" };
  parts.push(svg("text", { x: 11, y: middle, ...turned, text: "ratio (dB)" }));
  return parts;
}

function columnOf(column, x, step, y, box, places, [low, high]) {
  const half = 0.32 * step;
  const bottom = MARGIN.top + box.height;
  const parts = [svg("text", { x, y: bottom + 16, "text-anchor": "middle", text: column.name })];
  for (const { median, dash } of column.behind) {
    if (median === null) continue;
    if (median > high || median < low) {
      const place = median > high ? ["▲", MARGIN.top + 10] : ["▼", bottom - 4];
      parts.push(svg("text", { x, y: place[1], "text-anchor": "middle", text: `${place[0]} ${decimal(median, 0)}` }));
      continue;
    }
    const line = `M${x - 0.46 * step},${y(median)}h${0.92 * step}`;
    parts.push(svg("path", { d: line, class: "dots-behind", "stroke-dasharray": dash }));
  }
  places.filter(Boolean).forEach(([cx, cy]) => parts.push(svg("circle", { cx, cy, r: 3.4, style: `fill:${column.colour}` })));
  if (column.median === null) return parts;
  const [[first, third], median] = [column.box, column.median];
  parts.push(
    svg("rect", { x: x - half, y: y(third), width: 2 * half, height: Math.max(0.5, y(first) - y(third)), class: "dots-box" }),
    svg("path", { d: `M${x - half},${y(median)}h${2 * half}`, class: "dots-median" }),
    svg("text", { x, y: bottom + 32, "text-anchor": "middle", "font-weight": 600, text: decimal(median, 1) }),
  );
  if (column.low !== null) {
    const side = x + half + 0.05 * step;
    parts.push(svg("path", { d: `M${side - 3},${y(column.low)}h6m-3,0V${y(column.high)}m-3,0h6`, class: "dots-interval" }));
  }
  return parts;
}
