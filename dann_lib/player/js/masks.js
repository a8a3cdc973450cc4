// Masks on a spectrogram: one for the real part and one for the imaginary part, as the report has them (II.b).
//
// Masks are { real, imag }: Float32Arrays as large as the spectrogram's, whose values stay as they were set;
// bounds are applied when a mask is used, so that another bound can be tried.

export const BOUNDS = { ratio: [0, 1], signed: [-1, 1], any: [-Infinity, Infinity] };

export function fullMask(size, value = 1) {
  return { real: new Float32Array(size).fill(value), imag: new Float32Array(size).fill(value) };
}

export function copyMask({ real, imag }) {
  return { real: real.slice(), imag: imag.slice() };
}

// The spectrogram times the mask, part by part.
export function applyMask(spectrogram, mask, [low, high]) {
  const times = (values, factors) => values.map((value, i) => value * Math.min(high, Math.max(low, factors[i])));
  return { ...spectrogram, real: times(spectrogram.real, mask.real), imag: times(spectrogram.imag, mask.imag) };
}

// Ideal masks, which know the true stems; `parts` also know the phase (dann_lib.evaluation.oracles).
export const IDEAL = {
  binary(stems, which) {
    return sameForBoth(stems, which, (own, stemsHere) => (own > 0 && own >= Math.max(...stemsHere) ? 1 : 0));
  },
  ratio(stems, which) {
    return sameForBoth(stems, which, (own, stemsHere) => {
      const sum = stemsHere.reduce((total, value) => total + value, 0);
      return sum > 0 ? own / sum : 0;
    });
  },
  parts(stems, which, mixture) {
    const divide = (wanted, available) => wanted.map((value, i) => (available[i] === 0 ? 0 : value / available[i]));
    return { real: divide(stems[which].real, mixture.real), imag: divide(stems[which].imag, mixture.imag) };
  },
};

function sameForBoth(stems, which, share) {
  const size = stems[which].real.length;
  const here = new Array(stems.length);
  const real = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < stems.length; k++) here[k] = Math.hypot(stems[k].real[i], stems[k].imag[i]);
    real[i] = share(here[which], here);
  }
  return { real, imag: real.slice() };
}

// Sets the mask in places that `chosen(frame, bin)` accepts, in the given parts; returns how many there were.
export function setWhere(mask, parts, value, { nFrames, nBins }, chosen) {
  let count = 0;
  for (let frame = 0; frame < nFrames; frame++) {
    for (let bin = 0; bin < nBins; bin++) {
      if (!chosen(frame, bin)) continue;
      for (const part of parts) mask[part][frame * nBins + bin] = value;
      count += 1;
    }
  }
  return count;
}

// Whether the rectangle around a frame and a bin touches the ellipse around (frame0, bin0): any place can be hit.
export function nearEllipse(frame0, bin0, frameRadius, binRadius) {
  const beyond = (distance) => Math.max(0, Math.abs(distance) - 0.5);
  return (frame, bin) => (
    (beyond(frame - frame0) / frameRadius) ** 2 + (beyond(bin - bin0) / binRadius) ** 2 <= 1);
}
