// All tracks of a song on one clock: their buffers start together, and a switch changes gains and nothing else.

const FADE_S = 0.005;
const LEAD_S = 0.05;  // what is asked for lies this far ahead: the sound's own thread may be ahead of this one

/** Decodes an audio file at its own sample rate; the bytes are handed over and gone afterwards. */
export function decode(bytes, rate) {
  return new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
}

/**
 * Starts all buffers at one sample of the context.
 *
 * @param {BaseAudioContext} context real, or offline
 * @param {Map<string, AudioBuffer>} buffers by key
 * @param {(key: string) => number} level gain of each
 * @param {{at: number, offset: number, loop: number[] | null}} place time of the context, position, region, all in s
 * @returns {{output: GainNode, gains: Map<string, GainNode>, sources: AudioBufferSourceNode[]}}
 */
export function startTogether(context, buffers, level, { at, offset, loop }) {
  const output = new GainNode(context);
  const gains = new Map();
  const sources = [];
  for (const [key, buffer] of buffers) {
    const options = loop ? { loop: true, loopStart: loop[0], loopEnd: loop[1] } : {};
    const source = new AudioBufferSourceNode(context, { buffer, ...options });
    const gain = new GainNode(context, { gain: level(key) });
    source.connect(gain).connect(output);
    source.start(at, offset);
    gains.set(key, gain);
    sources.push(source);
  }
  output.connect(context.destination);
  return { output, gains, sources };
}

/** Moves a gain to a level within a few ms after `at`, from wherever it is, and leaves it exactly there. */
export function glide(parameter, level, at) {
  parameter.cancelScheduledValues(at);
  parameter.setTargetAtTime(level, at, FADE_S / 5);
  parameter.setValueAtTime(level, at + 10 * FADE_S);
}

/**
 * @param {Map<string, AudioBuffer>} buffers of one length and rate
 * @param {() => void} onChange called when it starts, stops or jumps
 * @returns play, pause, seek, setLoop, setLevels, `playing()`, `position()` in s, close
 */
export function makeTransport(buffers, onChange) {
  const [{ duration, sampleRate }] = buffers.values();
  const toSample = (seconds) => Math.round(seconds * sampleRate) / sampleRate;
  const levels = new Map();
  let context = null, voice = null, held = 0, loop = null, wanted = false;

  /** Where the song is at a time of the context. */
  function position(time = context?.currentTime) {
    if (!voice) return held;
    const at = voice.offset + Math.max(0, time - voice.at);
    if (!voice.loop || at < voice.loop[1]) return Math.min(at, duration);
    const [start, end] = voice.loop;
    return start + ((at - start) % (end - start));
  }

  const soon = () => context.currentTime + LEAD_S;

  function begin() {
    const at = Math.ceil(soon() * sampleRate) / sampleRate;
    const place = { at, offset: toSample(held), loop };
    const started = { ...startTogether(context, buffers, (key) => levels.get(key) ?? 0, place), ...place };
    started.output.gain.setValueAtTime(0, at).linearRampToValueAtTime(1, at + FADE_S);
    started.sources[0].onended = () => {
      if (voice !== started) return;
      [voice, held, wanted] = [null, 0, false];
      onChange();
    };
    voice = started;
  }

  function end() {
    if (!voice) return;
    const at = Math.max(soon(), voice.at + FADE_S);  // not while it fades in
    held = position(at);
    const { output, sources } = voice;
    voice = null;
    output.gain.cancelScheduledValues(at);
    output.gain.setValueAtTime(1, at).linearRampToValueAtTime(0, at + FADE_S);
    for (const source of sources) source.stop(at + FADE_S);
  }

  /** Goes on from another place, or under another loop, without a click. */
  function jump(seconds) {
    end();
    held = Math.min(Math.max(0, seconds), duration);
    if (wanted && context) begin();
    onChange();
  }

  return {
    duration,
    position: () => position(),
    playing: () => wanted,
    async play() {
      if (wanted) return;
      wanted = true;
      context ??= makeContext(sampleRate);
      if (context.state !== "running") await context.resume();
      if (!wanted || voice) return;
      if (held >= duration - FADE_S) held = 0;
      begin();
      onChange();
    },
    pause() {
      if (!wanted) return;
      wanted = false;
      end();
      onChange();
    },
    seek: jump,
    /** Repeats a region `[start, end]` in s, or nothing: null. */
    setLoop(region) {
      loop = region && region.map(toSample);
      const at = position(voice && soon());
      jump(loop && (at < loop[0] || at >= loop[1]) ? loop[0] : at);
    },
    /** Gains of tracks by their key; all that change begin to at one moment. */
    setLevels(wanted) {
      const at = voice && soon();
      for (const [key, level] of wanted) {
        if (levels.get(key) === level) continue;
        levels.set(key, level);
        if (voice) glide(voice.gains.get(key).gain, level, at);
      }
    },
    close() {
      wanted = false;
      end();
      context?.close();
    },
  };
}

function makeContext(sampleRate) {
  try {
    return new AudioContext({ sampleRate });
  } catch {
    return new AudioContext();
  }
}
