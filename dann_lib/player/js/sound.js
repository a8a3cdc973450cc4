// All sound: decoded or made in the page, on one clock. Whatever changes does so at one moment, without a click.

import { interpolate } from "./dsp.js";
import { reducedMotion } from "./page.js";

const FADE_S = 0.005;
const LEAD_S = 0.05;  // what is asked for lies this far ahead: the sound's own thread may be ahead of this one
const BROWSER_RATE = 44100;
const STEP_MS = 250;

/** Decodes an audio file at `rate` in Hz: base64 text of a stored page, or bytes that Python has sent. */
export function decode(file, rate) {
  const bytes = typeof file === "string"
    ? Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0))
    : new Uint8Array(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength));
  return new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
}

/** Decodes an audio file to samples at `rate` in Hz, made exactly `nSamples` long. */
export async function decodeSamples(file, rate, nSamples) {
  const buffer = await decode(file, rate);
  const samples = new Float32Array(nSamples ?? buffer.length);
  samples.set(buffer.getChannelData(0).subarray(0, samples.length));
  return samples;
}

/**
 * Plays buffers of one length and rate together: a switch between them changes gains and nothing else.
 *
 * @param {(position: number, playing: boolean) => void} tell called at each start, stop and jump, and for each picture
 *   of the page while it plays; a few times a second where the reader wants less motion
 * @returns load, play, pause, seek, setLoop, setLevels, `playing()`, `position()` and `duration()` in s, close
 */
export function makeSound(tell) {
  const levels = new Map();
  const others = oneSound(pause);
  let buffers = new Map(), context = null, voice = null, held = 0, loop = null, wanted = false, drawn = 0, told = 0;

  const buffer = () => buffers.values().next().value;
  const duration = () => buffer()?.duration ?? 0;
  const toSample = (seconds) => Math.round(seconds * buffer().sampleRate) / buffer().sampleRate;

  /** Where the sound is at a time of the context. */
  function position(time = context?.currentTime) {
    if (!voice) return held;
    const at = voice.offset + Math.max(0, time - voice.at);
    if (!voice.loop || at < voice.loop[1]) return Math.min(at, duration());
    const [start, end] = voice.loop;
    return start + ((at - start) % (end - start));
  }

  /** The next time for a change, at a sample of the context; not while a voice still fades in. */
  function soon() {
    const { currentTime, sampleRate } = context;
    return Math.ceil(Math.max(currentTime + LEAD_S, voice ? voice.at + FADE_S : 0) * sampleRate) / sampleRate;
  }

  function begin(at) {
    const output = new GainNode(context, { gain: 0 });
    const started = { at, offset: toSample(held), loop, output, gains: new Map(), sources: [] };
    const region = loop ? { loop: true, loopStart: loop[0], loopEnd: loop[1] } : {};
    for (const [key, each] of buffers) {
      const source = new AudioBufferSourceNode(context, { buffer: each, ...region });
      const gain = new GainNode(context, { gain: levels.get(key) ?? 1 });
      source.connect(gain).connect(output);
      source.start(at, started.offset);
      started.gains.set(key, gain.gain);
      started.sources.push(source);
    }
    output.connect(context.destination);
    output.gain.setValueAtTime(0, at).linearRampToValueAtTime(1, at + FADE_S);
    started.sources[0].onended = () => {
      if (voice !== started) return;
      [voice, held, wanted] = [null, 0, false];
      follow();
    };
    voice = started;
  }

  function end(at) {
    if (!voice) return;
    held = position(at);
    const { output, sources } = voice;
    voice = null;
    output.gain.cancelScheduledValues(at);
    output.gain.setValueAtTime(1, at).linearRampToValueAtTime(0, at + FADE_S);
    for (const source of sources) source.stop(at + FADE_S);
  }

  async function start(at) {
    if (!wanted || !buffers.size) return;
    context ??= makeContext(buffer().sampleRate);
    if (context.state !== "running") await context.resume();
    if (!wanted || voice) return;
    if (held >= duration() - FADE_S) held = 0;
    others.start();
    begin(at ?? soon());
    follow();
  }

  /** Goes on from another place, or with other buffers or another loop, without a click; null is the same place. */
  function jump(seconds, change = () => {}) {
    const at = voice ? soon() : undefined;
    end(at);
    change();
    held = Math.min(Math.max(0, seconds ?? held), duration());
    start(at);
    follow();
  }

  function pause() {
    if (!wanted) return;
    wanted = false;
    if (voice) end(soon());
    follow();
  }

  function follow(now = 0) {
    cancelAnimationFrame(drawn);
    drawn = wanted ? requestAnimationFrame(follow) : 0;
    if (now && now - told < STEP_MS && reducedMotion()) return;
    told = now;
    tell(position(), wanted);
  }

  return {
    duration,
    pause,
    position: () => position(),
    playing: () => wanted,
    /** Other buffers by their key, from a place in s, or null for the same place; `repeat` goes round in them. */
    load(next, place = 0, repeat = false) {
      jump(place, () => {
        buffers = next;
        loop = repeat ? [0, duration()] : null;
      });
    },
    async play() {
      wanted = true;
      await start();
    },
    seek: (seconds) => jump(seconds),
    /** Repeats a region `[start, end]` in s, or nothing: null. */
    setLoop(region) {
      loop = region && region.map(toSample);
      const at = position(voice ? soon() : undefined);
      jump(loop && (at < loop[0] || at >= loop[1]) ? loop[0] : null);
    },
    /** Gains of buffers by their key; all that change begin to at one moment. */
    setLevels(wantedLevels) {
      const at = voice && context.currentTime + LEAD_S;
      for (const [key, level] of wantedLevels) {
        if (levels.get(key) === level) continue;
        levels.set(key, level);
        if (voice) glide(voice.gains.get(key), level, at);
      }
    },
    close() {
      pause();
      others.close();
      context?.close();
    },
  };
}

/** Moves a gain to a level within a few ms after `at`, from wherever it is, and leaves it exactly there. */
function glide(parameter, level, at) {
  parameter.cancelScheduledValues(at);
  parameter.setTargetAtTime(level, at, FADE_S / 5);
  parameter.setValueAtTime(level, at + 10 * FADE_S);
}

function makeContext(sampleRate) {
  try {
    return new AudioContext({ sampleRate });
  } catch {
    return new AudioContext();
  }
}

/**
 * Sounds that are made in the page, heard one at a time and again and again: another one goes on where the last one is.
 *
 * @param {(name: string | null) => void} onChange called when another sound plays, or none
 * @param {(position: number | null) => void} onMove the place in s while one plays
 * @returns toggle, replace, stop, `playing()`, close
 */
export function makeListening(onChange, onMove = () => {}) {
  let name = null, heard = null, shown = null;
  const sound = makeSound((position, playing) => {
    const now = playing ? name : null;
    if (now !== shown) onChange(shown = now);
    onMove(playing ? position : null);
  });

  function play(other, waveform, rate) {
    [name, heard] = [other, waveform];
    sound.load(new Map([[other, toBuffer(waveform, rate)]]), sound.playing() ? null : 0, true);
    sound.play();
  }
  const playing = () => (sound.playing() ? name : null);
  return {
    playing,
    stop: sound.pause,
    close: sound.close,
    toggle: (other, waveform, rate) => (playing() === other ? sound.pause() : play(other, waveform, rate)),
    /** The sound that plays may have changed: go on with the new one. */
    replace: (waveform, rate) => waveform !== heard && play(name, waveform, rate),
  };
}

function toBuffer(waveform, rate) {
  const factor = Math.ceil(BROWSER_RATE / rate);
  const samples = interpolate(waveform, factor).map((sample) => Math.min(1, Math.max(-1, sample)));
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: rate * factor });
  buffer.copyToChannel(samples, 0);
  return buffer;
}

/**
 * Lets one sound at a time be heard, in all frames of a page and all its `<audio>` elements.
 *
 * @param {() => void} stop called when something else starts
 * @returns {{start: () => void, close: () => void}} `start` to be called when this one starts
 */
function oneSound(stop) {
  const own = Symbol("player");
  const pages = [document];
  try {
    for (let view = window; view.parent !== view; view = view.parent) pages.push(view.parent.document);
  } catch {
    // a page of another origin: the channel below still reaches the frames of this origin
  }
  const outermost = pages.at(-1);
  const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("dann-sound") : null;
  let started = 0;
  const now = () => performance.timeOrigin + performance.now();
  const onSound = (event) => event.detail !== own && stop();
  const onElement = (event) => event.target.pause && stop();
  outermost.addEventListener("dann-sound", onSound);
  for (const page of pages) page.addEventListener("play", onElement, true);
  if (channel) channel.onmessage = (event) => event.data > started && stop();
  return {
    start() {
      started = now();
      for (const page of pages) for (const element of page.querySelectorAll("audio, video")) element.pause();
      outermost.dispatchEvent(new CustomEvent("dann-sound", { detail: own }));
      channel?.postMessage(started);
    },
    close() {
      outermost.removeEventListener("dann-sound", onSound);
      for (const page of pages) page.removeEventListener("play", onElement, true);
      channel?.close();
    },
  };
}
