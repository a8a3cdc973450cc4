// Several sounds on one clock: all are started together, and from then on only their gains change.

const FADE_S = 0.006;
const LEAD_S = 0.03;

/**
 * Starts all buffers at the same moment and place; used by the player, and by tests with an offline context.
 *
 * @param {BaseAudioContext} context
 * @param {AudioBuffer[]} buffers
 * @param {number[]} gains of each, 0 to 1
 * @param {{at: number, offset: number, region: ?[number, number]}} when in s: start on the clock, place in the
 *   sounds, and the part that is repeated
 * @returns {{source: AudioBufferSourceNode, gain: GainNode}[]}
 */
export function startTogether(context, buffers, gains, { at, offset, region }) {
  return buffers.map((buffer, index) => {
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, at).linearRampToValueAtTime(gains[index], at + FADE_S);
    const source = new AudioBufferSourceNode(context, { buffer, loop: Boolean(region) });
    if (region) [source.loopStart, source.loopEnd] = region;
    source.connect(gain).connect(context.destination);
    source.start(at, offset);
    return { source, gain };
  });
}

/** Moves a gain to a value from `now` on, without a click. */
export function fadeTo({ gain }, value, now) {
  gain.gain.cancelScheduledValues(now);
  gain.gain.setValueAtTime(gain.gain.value, now).linearRampToValueAtTime(value, now + FADE_S);
}

/**
 * @param {AudioBuffer[]} buffers of equal rate
 * @param {() => void} onChange called when it starts, stops or ends
 */
export function makeEngine(buffers, onChange) {
  const duration = Math.max(...buffers.map((buffer) => buffer.duration));
  const gains = buffers.map(() => 0);
  let context = null, running = null, offset = 0, region = null, wanted = false;

  function position() {
    if (!running) return offset;
    const place = running.offset + Math.max(0, context.currentTime - running.at);
    if (!running.region) return Math.min(place, duration);
    const [from, to] = running.region;
    return place < to ? place : from + ((place - from) % (to - from));
  }

  async function play() {
    wanted = true;
    if (running) return;
    context ??= new AudioContext({ sampleRate: buffers[0].sampleRate });
    if (context.state !== "running") await context.resume();
    if (!wanted || running) return;
    if (offset >= duration - 0.01) offset = 0;
    if (region && (offset < region[0] || offset >= region[1])) [offset] = region;
    const at = context.currentTime + LEAD_S;
    running = { at, offset, region, nodes: startTogether(context, buffers, gains, { at, offset, region }) };
    running.nodes[0].source.onended = ended(running);
    onChange();
  }

  const ended = (own) => () => {
    if (own !== running) return;
    [running, wanted, offset] = [null, false, 0];
    onChange();
  };

  function halt() {
    if (!running) return;
    offset = position();
    const now = context.currentTime;
    for (const node of running.nodes) {
      fadeTo(node, 0, now);
      node.source.stop(now + 2 * FADE_S);
    }
    running = null;
  }

  function restart(change) {
    const again = wanted;
    halt();
    change();
    if (again) play();
    onChange();
  }

  return {
    duration, play, position,
    playing: () => running !== null,
    pause() {
      wanted = false;
      halt();
      onChange();
    },
    seek: (place) => restart(() => (offset = Math.min(Math.max(place, 0), duration))),
    region: () => region,
    loop: (next) => restart(() => (region = next)),
    setGains(next) {
      next.forEach((value, index) => {
        if (running && value !== gains[index]) fadeTo(running.nodes[index], value, context.currentTime);
        gains[index] = value;
      });
    },
    close() {
      wanted = false;
      halt();
      context?.close();
    },
  };
}
