// Style, symbols and help of the stem player.

const icon = (path) => (
  `<svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true"><path d="${path}"/></svg>`);

export const ICONS = { play: icon("M5 2.5v15l12.5-7.5z"), pause: icon("M4 3h4v14H4zM12 3h4v14h-4z") };

export const HINTS = "All tracks play at their own levels, and all pictures share one scale. Without a solo you hear "
  + "the sources together; the mixture is heard when it is soloed. Click into a picture to go there, drag to loop.";

/** Keys and what they do, for `nVariants` versions. */
export const HELP = (nVariants) => [
  ["space", "play and pause"],
  ...(nVariants > 1 ? [[[..."ABCDEFGH"].slice(0, nVariants).join(" "), "versions, at the same place"]] : []),
  ["0 … 9", "solo a row; with Shift: mute it"],
  ["← →", "1 s back or on; with Shift: 5 s"],
  ["Home", "to the start"],
  ["L", "loop on and off"],
  ["I O", "the loop starts, ends here"],
  ["S", "waveforms or spectrograms"],
];

export const STYLE = `
.stems-head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 16px; }
.stems-head .dann-bar { margin: 0 0 8px; }
.stems-lanes { display: grid; gap: 4px; --at: 0; --loop-start: 0; --loop-end: 0; }
.stems-row { display: grid; grid-template-columns: 252px minmax(0, 1fr); gap: 10px; align-items: center; }
.stems-controls { display: flex; align-items: center; gap: 6px; min-width: 0; }
.stems-controls button { min-width: 30px; min-height: 28px; padding: 0; font-size: 13px; font-weight: 650; }
.stems-controls button[data-mute][aria-pressed="true"] { background: var(--warn); border-color: var(--warn);
  color: var(--paper); }
.stems-controls input[type="range"] { flex: 1 1 60px; width: 60px; }
.stems-name { flex: 0 0 104px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600; }
.stems-row[data-digit] .stems-controls { border-left: 5px solid var(--source); padding-left: 7px; }
.stems-key { display: inline-block; min-width: 1.5em; margin-right: 5px; border: 1px solid currentColor;
  border-radius: 4px; font: 600 11px/1.35 ui-monospace, monospace; text-align: center; opacity: 0.85; }
.stems-time { font-size: 16px; font-weight: 650; }
.stems-lane { position: relative; overflow: hidden; border-radius: 4px; cursor: pointer; touch-action: pan-y;
  user-select: none; }
.stems-row[data-silent="yes"] canvas { opacity: 0.4; }
.stems-none { position: absolute; inset: 0; display: grid; place-items: center; }
.stems-ruler { height: 24px; background: var(--panel); border: 1px solid var(--line); }
.stems-ticks span { position: absolute; top: 2px; padding-left: 4px; border-left: 1px solid var(--line); height: 100%;
  color: var(--quiet); font-size: 12px; white-space: nowrap; pointer-events: none; }
.stems-cursor { position: absolute; inset: 0 auto 0 calc(var(--at) * 100%); width: 2px; margin-left: -1px;
  pointer-events: none; background: var(--ink); box-shadow: 0 0 0 1px var(--paper); }
.stems-loop { position: absolute; inset: 0 auto 0 calc(var(--loop-start) * 100%); pointer-events: none;
  width: calc((var(--loop-end) - var(--loop-start)) * 100%);
  background: color-mix(in srgb, var(--accent) 14%, transparent);
  box-shadow: inset 2px 0 var(--accent), inset -2px 0 var(--accent); }
.stems-words { min-height: 1.45em; }
@media (max-width: 640px) {
  .stems-lanes { gap: 10px; }
  .stems-row { grid-template-columns: minmax(0, 1fr); gap: 4px; }
  .stems-controls button { min-width: 44px; min-height: 36px; }
}
`;
