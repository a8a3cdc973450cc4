// Short-time Fourier transform and its inverse, as dann_lib.spectrogram has them, for any window and overlap.
//
// A waveform is a Float32Array. A spectrogram is { real, imag, nFrames, nBins, length, hop }: Float32Arrays with
// the bins of a frame side by side, `frame * nBins + bin`. The transform is centred: frame t looks at the samples
// t * hop - length / 2 to t * hop + length / 2, with zeros where the waveform has none.

export const WINDOWS = {
  Hamming: [0.54, 0.46, 0],
  Hann: [0.5, 0.5, 0],
  Blackman: [0.42, 0.5, 0.08],
  rectangular: [1, 0, 0],
};

// Sum of squared windows, in parts of the largest, below which no frame is taken to have seen a sample.
const UNSEEN = 1e-9;

// One period of a sum of cosines: the periodic window, not the symmetric one.
export function makeWindow(name, length) {
  const [constant, first, second] = WINDOWS[name];
  const phase = (2 * Math.PI) / length;
  return Float64Array.from({ length }, (_, i) => (
    constant - first * Math.cos(phase * i) + second * Math.cos(2 * phase * i)));
}

// Frames that a waveform needs, so that each sample lies in one if frames do not leave gaps.
function countFrames(nSamples, length, hop) {
  return 1 + Math.max(Math.floor(nSamples / hop), Math.ceil((nSamples - length / 2) / hop));
}

// All frames, or `nFrames` of them from the frame `begin` on.
export function stft(waveform, window, hop, begin = 0, nFrames = countFrames(waveform.length, window.length, hop)) {
  const length = window.length;
  const nBins = length / 2 + 1;
  const real = new Float32Array(nFrames * nBins);
  const imag = new Float32Array(nFrames * nBins);
  const transform = makeFft(length);
  const re = new Float64Array(length);
  const im = new Float64Array(length);
  // Two real frames in one complex transform: its even part belongs to the first, its odd part to the second.
  for (let frame = 0; frame < nFrames; frame += 2) {
    cutFrame(waveform, window, (begin + frame) * hop - length / 2, re);
    if (frame + 1 < nFrames) cutFrame(waveform, window, (begin + frame + 1) * hop - length / 2, im);
    else im.fill(0);
    transform(re, im);
    for (let bin = 0; bin < nBins; bin++) {
      const mirror = (length - bin) & (length - 1);
      const at = frame * nBins + bin;
      real[at] = 0.5 * (re[bin] + re[mirror]);
      imag[at] = 0.5 * (im[bin] - im[mirror]);
      if (frame + 1 < nFrames) {
        real[at + nBins] = 0.5 * (im[bin] + im[mirror]);
        imag[at + nBins] = 0.5 * (re[mirror] - re[bin]);
      }
    }
  }
  return { real, imag, nFrames, nBins, length, hop };
}

// The waveform whose spectrogram is nearest in the sense of least squares (Griffin and Lim, 1984, equation 6).
// Samples that no frame has seen come out as zero.
export function istft(spectrogram, window, nSamples) {
  const { real, imag, nFrames, nBins, length, hop } = spectrogram;
  const added = new Float64Array(nSamples);
  const weight = new Float64Array(nSamples);
  const transform = makeFft(length);
  const re = new Float64Array(length);
  const im = new Float64Array(length);
  for (let frame = 0; frame < nFrames; frame += 2) {
    const second = frame + 1 < nFrames ? nBins : NaN;
    for (let bin = 0; bin < nBins; bin++) {
      const at = frame * nBins + bin;
      // A real waveform has a real first and last bin; what a mask may leave there is dropped, as irfft does.
      const own = bin === 0 || bin === nBins - 1 ? 0 : 1;
      const a = real[at], b = own * imag[at];
      const c = second ? real[at + second] : 0, d = second ? own * imag[at + second] : 0;
      const mirror = (length - bin) & (length - 1);
      // Conjugated, so that the forward transform is the inverse one.
      re[mirror] = a + d; im[mirror] = b - c;
      re[bin] = a - d; im[bin] = -(b + c);
    }
    transform(re, im);
    addFrame(re, 1 / length, window, frame * hop - length / 2, added, weight);
    if (second) addFrame(im, -1 / length, window, (frame + 1) * hop - length / 2, added, weight);
  }
  return divide(added, weight);
}

export function magnitudes({ real, imag }) {
  const magnitude = new Float32Array(real.length);
  for (let i = 0; i < real.length; i++) magnitude[i] = Math.sqrt(real[i] * real[i] + imag[i] * imag[i]);
  return magnitude;
}

// The value that a share (0 to 1) of the values reach or exceed, to 1/40 dB; Infinity for none.
export function loudestThreshold(values, share) {
  const nSteps = 8000, perDb = 40;
  const peak = largest(values);
  const wanted = Math.round(share * values.length);
  if (wanted <= 0) return Infinity;
  if (wanted >= values.length || peak === 0) return 0;
  const counts = new Uint32Array(nSteps + 1);
  for (const value of values) {
    counts[Math.min(nSteps, Math.floor(-20 * perDb * Math.log10(value / peak)))] += 1;
  }
  let kept = 0;
  for (let step = 0; step < nSteps; step++) {
    kept += counts[step];
    if (kept >= wanted) return peak * 10 ** (-(step + 1) / (20 * perDb));
  }
  return 0;
}

export function largest(values) {
  let peak = 0;
  for (const value of values) if (value > peak) peak = value;
  return peak;
}

// Level in dB below full scale, root mean square; -Infinity for silence.
export function levelDb(waveform) {
  return 10 * Math.log10(energy(waveform) / waveform.length);
}

// Samples beyond full scale, which cannot be played.
export function countClipped(waveform) {
  return waveform.reduce((count, sample) => count + (Math.abs(sample) > 1), 0);
}

export function energy(waveform) {
  let sum = 0;
  for (const sample of waveform) sum += sample * sample;
  return sum;
}

export function subtract(minuend, subtrahend) {
  return minuend.map((value, i) => value - subtrahend[i]);
}

// SDR of equation (5) in dB: the estimate projected on its true source, one gain and no filter, against the rest.
// NaN for a silent true source, -Infinity for a silent estimate, as dann_lib.evaluation.projection has it.
export function sdrDb(estimate, truth) {
  const own = energy(truth), all = energy(estimate);
  if (own === 0) return NaN;
  if (all === 0) return -Infinity;
  let product = 0;
  for (let i = 0; i < truth.length; i++) product += estimate[i] * truth[i];
  const gain = product / own;
  let rest = 0;
  for (let i = 0; i < truth.length; i++) rest += (estimate[i] - gain * truth[i]) ** 2;
  return 10 * Math.log10((gain * gain * own) / rest);
}

// Every factor-th sample of the waveform, after frequencies that this rate cannot hold were removed.
export function decimate(waveform, factor) {
  if (factor === 1) return waveform;
  const kernel = lowPass(factor);
  const half = (kernel.length - 1) / 2;
  const result = new Float32Array(Math.ceil(waveform.length / factor));
  for (let i = 0; i < result.length; i++) {
    const first = i * factor - half;
    const end = Math.min(kernel.length, waveform.length - first);
    let sum = 0;
    for (let k = Math.max(0, -first); k < end; k++) sum += kernel[k] * waveform[first + k];
    result[i] = sum;
  }
  return result;
}

// The same sound with `factor` times as many samples: a browser left alone draws straight lines between samples,
// which adds frequencies that the sound does not have.
export function interpolate(waveform, factor) {
  if (factor === 1) return waveform;
  const kernel = lowPass(factor);
  const half = (kernel.length - 1) / 2;
  const result = new Float32Array(waveform.length * factor);
  for (let i = 0; i < result.length; i++) {
    const last = Math.min(waveform.length - 1, Math.floor((i + half) / factor));
    let sum = 0;
    for (let j = Math.max(0, Math.ceil((i - half) / factor)); j <= last; j++) {
      sum += kernel[i - j * factor + half] * waveform[j];
    }
    result[i] = factor * sum;
  }
  return result;
}

// Windowed sinc (Blackman): passes what lies below 0.89 of the lower rate's half, stops what lies above that half.
function lowPass(factor) {
  const half = 48 * factor;
  const cutoff = 0.95 / factor;
  const kernel = Float64Array.from({ length: 2 * half + 1 }, (_, i) => {
    const x = i - half, angle = (Math.PI * x) / (half + 1);
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
    return sinc * (0.42 + 0.5 * Math.cos(angle) + 0.08 * Math.cos(2 * angle));
  });
  const sum = kernel.reduce((total, value) => total + value, 0);
  return kernel.map((value) => value / sum);
}

function cutFrame(waveform, window, first, frame) {
  for (let i = 0; i < frame.length; i++) {
    const at = first + i;
    frame[i] = at >= 0 && at < waveform.length ? window[i] * waveform[at] : 0;
  }
}

function addFrame(frame, scale, window, first, added, weight) {
  const end = Math.min(frame.length, added.length - first);
  for (let i = Math.max(0, -first); i < end; i++) {
    added[first + i] += scale * window[i] * frame[i];
    weight[first + i] += window[i] * window[i];
  }
}

function divide(added, weight) {
  const unseen = UNSEEN * largest(weight);
  return Float32Array.from(added, (value, i) => (weight[i] > unseen ? value / weight[i] : 0));
}

const transforms = new Map();

// In-place complex Fourier transform of a power of two (Cooley and Tukey, 1965, radix 2).
function makeFft(length) {
  if (!transforms.has(length)) transforms.set(length, planFft(length));
  return transforms.get(length);
}

function planFft(length) {
  const bits = Math.log2(length);
  if (!Number.isInteger(bits)) throw new Error(`a window of ${length} samples was asked for; expected a power of 2`);
  const cos = Float64Array.from({ length: length / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / length));
  const sin = Float64Array.from({ length: length / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / length));
  const reversed = new Uint32Array(length);
  for (let i = 1; i < length; i++) reversed[i] = (reversed[i >> 1] >> 1) | ((i & 1) << (bits - 1));
  return (re, im) => {
    for (let i = 0; i < length; i++) {
      const j = reversed[i];
      if (j > i) {
        [re[i], re[j]] = [re[j], re[i]];
        [im[i], im[j]] = [im[j], im[i]];
      }
    }
    for (let half = 1; half < length; half *= 2) {
      const stride = length / (2 * half);
      for (let start = 0; start < length; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const top = start + k, low = top + half, c = cos[k * stride], s = sin[k * stride];
          const x = c * re[low] - s * im[low], y = s * re[low] + c * im[low];
          re[low] = re[top] - x; im[low] = im[top] - y;
          re[top] += x; im[top] += y;
        }
      }
    }
  };
}
