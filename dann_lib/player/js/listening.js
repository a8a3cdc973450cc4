// Sounds that are made in the page, heard one at a time: another one goes on where the last one is.

import { interpolate } from "./dsp.js";
import { oneSound } from "./page.js";

const FADE_S = 0.012;
const BROWSER_RATE = 44100;

/** Decodes an audio file to mono samples at `rate` in Hz, made exactly `nSamples` long. */
export async function decode(bytes, rate, nSamples) {
  const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
  const samples = new Float32Array(nSamples);
  samples.set(buffer.getChannelData(0).subarray(0, nSamples));
  return samples;
}

/** Samples beyond full scale, which cannot be played. */
export function countClipped(waveform) {
  let count = 0;
  for (const sample of waveform) if (Math.abs(sample) > 1) count += 1;
  return count;
}

/**
 * @param {(name: string | null) => void} onChange called when another sound plays, or none
 * @returns play, replace, stop, `position()` in s, `playing()`, close
 */
export function makeListening(onChange) {
  let context = null, current = null;
  const others = oneSound(() => stop());

  function stop() {
    if (!current) return;
    fadeOut(current, context.currentTime);
    current = null;
    onChange(null);
  }

  async function play(name, waveform, rate) {
    const factor = Math.ceil(BROWSER_RATE / rate);
    context ??= new AudioContext({ sampleRate: rate * factor });
    if (context.state !== "running") await context.resume();
    others.start();
    start(name, waveform, rate);
    onChange(name);
  }

  function start(name, waveform, rate) {
    const buffer = toBuffer(context, waveform, rate);
    const at = Math.ceil((context.currentTime + 0.01) * context.sampleRate) / context.sampleRate;
    const offset = current ? (at - current.origin) % current.duration : 0;
    const gain = new GainNode(context, { gain: 0 });
    const source = new AudioBufferSourceNode(context, { buffer, loop: true });
    source.connect(gain).connect(context.destination);
    source.start(at, Math.max(0, offset));
    gain.gain.setValueAtTime(0, at).linearRampToValueAtTime(1, at + FADE_S);
    if (current) fadeOut(current, at);
    current = { name, source, gain, origin: at - Math.max(0, offset), duration: buffer.duration };
  }

  return {
    play,
    stop,
    /** The sound that plays has changed: go on with the new one at the same place. */
    replace(waveform, rate) {
      if (current) start(current.name, waveform, rate);
    },
    playing: () => current?.name ?? null,
    position: () => (current ? Math.max(0, context.currentTime - current.origin) % current.duration : 0),
    close() {
      stop();
      others.close();
      context?.close();
    },
  };
}

function fadeOut({ source, gain }, at) {
  gain.gain.cancelScheduledValues(at);
  gain.gain.setValueAtTime(1, at).linearRampToValueAtTime(0, at + FADE_S);
  source.stop(at + FADE_S);
}

function toBuffer(context, waveform, rate) {
  const samples = interpolate(waveform, Math.round(context.sampleRate / rate));
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: context.sampleRate });
  buffer.copyToChannel(samples.map((sample) => Math.min(1, Math.max(-1, sample))), 0);
  return buffer;
}
