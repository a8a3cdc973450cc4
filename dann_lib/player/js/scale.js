// Scales of colours as pixels of a canvas.

/** Colours of a scale, `#rrggbb` from low to high, as 256 pixels of a canvas. */
export function makeScale(colours) {
  const anchors = colours.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(place), anchors.length - 2);
    const [r, g, b] = anchors[low].map((value, k) => Math.round(value + (place - low) * (anchors[low + 1][k] - value)));
    return pixel(r, g, b);
  });
}

export const pixel = (r, g, b) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
