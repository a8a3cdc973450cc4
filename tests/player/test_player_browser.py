"""The stem player in a browser: what comes out of the loudspeaker, not what the labels say."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.fft import next_fast_len

from dann_lib import player

RATE = 22_050
SECONDS = 6.0
# Everything that reaches the loudspeaker, with the number of its first sample, into `window.heard`.
TAP = """
window.heard = [];
const worklet = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([input]) { if (input[0]) this.port.postMessage([currentFrame, input[0].slice()]); return true; }
})`;
const Real = window.AudioContext;
window.AudioContext = class extends Real {
  constructor(options) {
    super(options);
    window.clock = this;
    this.tap = this.audioWorklet.addModule("data:text/javascript," + encodeURIComponent(worklet)).then(() => {
      const node = new AudioWorkletNode(this, "tap", { numberOfOutputs: 0 });
      node.port.onmessage = ({ data: [frame, samples] }) => heard.push([frame, Array.from(samples)]);
      return node;
    });
  }
};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode && this.context.tap) {
    this.context.tap.then((node) => connect.call(this, node));
  }
  return connect.call(this, target, ...rest);
};
"""


def noise(seed: int, amplitude: float = 0.1) -> np.ndarray:
    """Noise below 4 kHz: every piece of it is found at one place only."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(int(SECONDS * RATE)))
    spectrum[int(4000 * SECONDS):] = 0
    samples = np.fft.irfft(spectrum)
    return (amplitude * samples / samples.std()).astype(np.float32)


@pytest.fixture(scope="module")
def frame() -> player.Frame:
    """Two sources in two versions, all different, and the mixture of the true ones."""
    true = {"vocals": noise(1), "drums": noise(2)}
    yours = {"vocals": noise(3), "drums": noise(4, 0.05)}
    return player.stems({"true": true, "yours": yours}, mixture=true["vocals"] + true["drums"], rate_hz=RATE,
                        title="Noise", description="Two noises.")


def opened(open_html: Any, *players: Any, before: str = "", ready: str = ".stems-row", **options: Any) -> list[Any]:
    """Open players in a page with a tap at the loudspeaker, and give back their frames."""
    page = open_html("".join(each._repr_html_() for each in players), before=TAP + before, **options)
    frames = page.frames[1:]
    for each in frames:
        each.wait_for_selector(ready)
    return frames


@pytest.fixture(scope="module")
def shared(share_page, frame) -> Any:
    """The page with the player of `frame` for all tests that need nothing else."""
    return opened(share_page, frame)[0].page


@pytest.fixture
def page(shared) -> Any:
    """The frame of the shared player, as it is when it has just been opened."""
    shared.reload()
    shared.frames[1].wait_for_selector(".stems-row")
    return shared.frames[1]


@pytest.fixture(scope="module")
def tracks(frame) -> dict[tuple[str | None, str], np.ndarray]:
    """The tracks of `frame` as they are stored, by version and source."""
    return {(track["version"], track["source"]): soundfile.read(io.BytesIO(track["sound"]))[0]
            for track in frame.data["tracks"]}


def from_now_on(page: Any) -> None:
    """Let `heard` begin where a change that was just made has been carried out."""
    page.evaluate("heard.length = 0; window.from = (clock.currentTime + 0.1) * clock.sampleRate")


def caught(page: Any, seconds: float) -> list[tuple[int, list[float]]]:
    """Blocks of what was heard since `from_now_on`, once they are so many, each with the number of its first sample."""
    page.wait_for_function(f"heard.length && heard.at(-1)[0] >= window.from + {seconds * RATE}", polling=50)
    return page.evaluate("heard.filter(([frame]) => frame >= window.from)")


def listen(page: Any, seconds: float = 0.2) -> tuple[int, np.ndarray]:
    """Number of the first sample and the samples of what is heard once a change that was just made is carried out."""
    from_now_on(page)
    blocks = caught(page, seconds)
    starts = np.array([start for start, _ in blocks])
    assert np.all(np.diff(starts) == 128), "the capture has a gap"
    return int(starts[0]), np.concatenate([samples for _, samples in blocks])


def place(start: int, samples: np.ndarray, track: np.ndarray) -> tuple[int, float]:
    """The sample of the clock at which the track would have begun, and the share of the sound that it explains."""
    size = next_fast_len(len(track) + len(samples), real=True)
    product = np.fft.irfft(np.fft.rfft(track, size) * np.conj(np.fft.rfft(samples, size)), size)
    at = int(np.argmax(product))
    piece = track[at:at + len(samples)]
    share = product[at] ** 2 / (piece @ piece) / (samples @ samples)
    return start - at, share


def mixed(heard: tuple[int, np.ndarray], tracks: dict, key: Any) -> dict[Any, float]:
    """The gain of each track in what is heard, by least squares, at the place where `key` is found."""
    start, samples = heard
    begin, _ = place(start, samples, tracks[key])
    pieces = np.stack([track[start - begin:start - begin + len(samples)] for track in tracks.values()], axis=1)
    gains = np.linalg.lstsq(pieces, samples, rcond=None)[0]
    return dict(zip(tracks, gains, strict=True))


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.locator("#root").press(key)


def position(page: Any) -> float:
    return float(page.get_by_role("slider", name="Position").get_attribute("aria-valuenow"))


def play(page: Any) -> None:
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("heard.length > 20")


def test_it_plays_what_it_was_given_at_its_own_level_until_it_is_paused(page, tracks):
    play(page)
    mixture = tracks[None, "mixture"]
    first = listen(page)
    before = position(page)
    begin, share = place(*first, mixture)
    assert share > 0.999
    assert mixed(first, {"mixture": mixture}, "mixture") == {"mixture": pytest.approx(1.0, abs=1e-3)}
    second = listen(page)
    assert place(*second, mixture)[0] == begin
    assert position(page) > before
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Play").wait_for()
    stopped = position(page)
    from_now_on(page)
    page.wait_for_function("clock.currentTime * clock.sampleRate > window.from + 2048")
    loud = page.evaluate("heard.some(([frame, samples]) => frame >= window.from && samples.some((each) => each !== 0))")
    assert not loud, "something is heard in a pause"
    assert position(page) == stopped > 0


def test_all_tracks_decode_to_the_same_length_without_a_shift(page):
    """The encoder's delay is cut off, or at least the same everywhere."""
    answers = page.evaluate("""() => {
        const { tracks } = JSON.parse(document.getElementById("data").textContent);
        return Promise.all(tracks.map(async ({ sound }) => {
            const bytes = Uint8Array.from(atob(sound), (letter) => letter.charCodeAt(0));
            const buffer = await new OfflineAudioContext(1, 1, 22050).decodeAudioData(bytes.buffer);
            return [buffer.length, Array.from(buffer.getChannelData(0).subarray(22050, 27050))];
        }));
    }""")
    lengths, samples = zip(*answers, strict=True)
    assert len(set(lengths)) == 1
    given = [noise(1) + noise(2), noise(1), noise(2), noise(3), noise(4, 0.05)]
    shifts = [place(0, np.array(each), truth)[0] for truth, each in zip(given, samples, strict=True)]
    assert shifts == [-RATE] * len(shifts)


def test_a_switch_of_versions_keeps_the_place_to_the_sample(page, tracks):
    press(page, "1", "Space")
    page.wait_for_function("heard.length > 20")
    true, true_share = place(*listen(page), tracks["true", "vocals"])
    press(page, "b")
    yours, yours_share = place(*listen(page), tracks["yours", "vocals"])
    press(page, "a")
    again, again_share = place(*listen(page), tracks["true", "vocals"])
    assert min(true_share, yours_share, again_share) > 0.999
    assert true == yours == again


# Whether a change of level was asked for too late, when its time had come already.
LATE = """
const glide = AudioParam.prototype.setTargetAtTime;
AudioParam.prototype.setTargetAtTime = function (level, at, constant) {
  glide.call(this, level, at, constant);
  window.late ||= clock.currentTime >= at;
};
"""
# A page that is slow to say what it wants, while the sound goes on in a thread of its own.
SLOW = """
const cancel = AudioParam.prototype.cancelScheduledValues;
AudioParam.prototype.cancelScheduledValues = function (at) {
  for (const start = performance.now(); performance.now() - start < 7;);
  return cancel.call(this, at);
};
"""


@pytest.mark.parametrize("before", [LATE, LATE + SLOW], ids=["", "in a slow page"])
def test_a_switch_does_not_click(open_page, before):
    """Two tones of one frequency: a jump from one to the other would be 0.4, their own steps are below 0.02.

    Both at once would reach 0.42, so one goes while the other comes. Where so much else runs that the page was late,
    it is tried again.
    """
    time = np.arange(int(SECONDS * RATE)) / RATE
    tones = [(0.3 * np.cos(2 * np.pi * 200 * time + phase)).astype(np.float32) for phase in (0, np.pi / 2)]
    frame = player.stems({"a": {"tone": tones[0]}, "b": {"tone": tones[1]}}, rate_hz=RATE)
    page = opened(open_page, frame, before=before)[0]
    play(page)
    for _ in range(8):
        press(page, "Home")
        from_now_on(page)
        page.evaluate("late = false")
        for key in "babababa":
            now = page.evaluate("clock.currentTime")
            press(page, key)
            page.wait_for_function("(before) => clock.currentTime > before + 0.06", arg=now)
        if not page.evaluate("late"):
            break
    assert not page.evaluate("late"), "changes are asked for when it is too late for them"
    samples = np.concatenate([block for _, block in caught(page, 0.3)])
    assert np.abs(np.diff(samples)).max() < 0.05
    assert np.abs(samples).max() < 0.31


def test_solo_mute_and_volume_change_what_is_heard(page, tracks):
    tracks = {key: samples for key, samples in tracks.items() if key[0] is not None}
    play(page)

    def gains() -> dict[tuple, float]:
        press(page, "Home")
        heard = listen(page)
        key = max(tracks, key=lambda each: place(*heard, tracks[each])[1])
        return {each: round(float(gain), 2) + 0.0 for each, gain in mixed(heard, tracks, key).items()}

    def expected(**levels: float) -> dict[tuple, float]:
        return {key: levels.get(f"{key[0]}_{key[1]}", 0.0) for key in tracks}

    page.get_by_role("button", name="Solo vocals").click()
    assert gains() == pytest.approx(expected(true_vocals=1.0), abs=0.011)
    page.get_by_role("button", name="Solo drums").click()
    assert gains() == pytest.approx(expected(true_vocals=1.0, true_drums=1.0), abs=0.011)
    page.get_by_role("button", name="Mute vocals").click()
    page.get_by_role("radio", name="yours").check()
    assert gains() == pytest.approx(expected(yours_drums=1.0), abs=0.011)
    page.get_by_label("Volume of drums").fill("0.5")
    assert gains() == pytest.approx(expected(yours_drums=0.5), abs=0.011)
    page.get_by_role("button", name="Solo drums").click()
    page.get_by_role("button", name="Solo vocals").click()
    page.get_by_role("button", name="Mute vocals").click()
    assert gains() == pytest.approx(expected(yours_drums=0.5, yours_vocals=1.0), abs=0.011)
    assert page.get_by_role("status").inner_text() == "You hear vocals + drums (yours)."


def test_a_loop_repeats_its_samples_and_stays_inside(page):
    lane = page.locator("[data-track=drums] .stems-lane")
    box = lane.bounding_box()
    mouse = page.page.mouse
    mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 10)
    mouse.down()
    mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 12, steps=4)
    mouse.up()
    assert page.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"
    start, end = page.evaluate("""() => ["start", "end"].map((name) => Number(
        document.querySelector(".stems-lanes").style.getPropertyValue(`--loop-${name}`)))""")
    play(page)
    _, samples = listen(page, 0.8)
    period = round(end * SECONDS * RATE) - round(start * SECONDS * RATE)
    assert period == pytest.approx(0.05 * SECONDS * RATE, rel=0.04)
    np.testing.assert_allclose(samples[500:500 + period], samples[500 + period:500 + 2 * period], atol=1e-6)
    for _ in range(5):
        assert start * SECONDS - 0.1 <= position(page) <= end * SECONDS + 0.1
        listen(page, 0.01)


def test_everything_works_by_keyboard(page):
    press(page, "ArrowRight", "ArrowRight")
    assert position(page) == 2.0
    press(page, "i", "ArrowLeft")
    assert position(page) == 2.0, "the arrows leave the loop"
    press(page, "l", "Shift+ArrowRight")
    assert position(page) == SECONDS
    press(page, "ArrowLeft", "o")
    assert page.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"
    press(page, "l", "Home")
    assert position(page) == 0.0
    press(page, "1", "2")
    for name in ("vocals", "drums"):
        assert page.get_by_role("button", name=f"Solo {name}").get_attribute("aria-pressed") == "true"
    press(page, "Shift+2")
    assert page.get_by_role("button", name="Mute drums").get_attribute("aria-pressed") == "true"
    press(page, "b")
    assert page.get_by_role("radio", name="yours").is_checked()
    press(page, "0")
    assert page.get_by_role("button", name="Solo vocals").get_attribute("aria-pressed") == "false"
    assert page.get_by_role("status").inner_text() == "You hear mixture."
    press(page, "s")
    assert page.get_by_role("radio", name="spectrogram").is_checked()
    page.get_by_role("slider", name="Position").press("Space")
    page.wait_for_function("heard.length > 20")
    page.get_by_role("button", name="Solo drums").press("Space")
    assert page.get_by_role("button", name="Solo drums").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="Pause").count() == 1, "space on a button presses that button"


def test_every_control_is_reached_with_tab_and_shows_its_focus(page):
    names = set()
    page.locator("#root").focus()
    for _ in range(30):
        page.page.keyboard.press("Tab")
        name, outline = page.evaluate("""() => {
          const e = document.activeElement, style = getComputedStyle(e.closest("label") ?? e);
          return [e.ariaLabel || e.value || e.textContent, style.outlineStyle]; }""")
        if not page.evaluate("document.getElementById('root').contains(document.activeElement)"):
            break
        assert outline == "solid", f"{name} does not show that it has the focus"
        names.add(name)
    assert {"Play", "true", "Loop", "waveform", "Position", "Solo mixture", "Mute drums", "Volume of vocals"} <= names


def test_one_player_stops_another_and_a_plain_sound_any(open_page, frame):
    first, second = opened(open_page, player.audio(noise(5), RATE), frame, frame)
    for one, other in ((first, second), (second, first), (first, second)):
        play(one)
        other.get_by_role("button", name="Play").wait_for()
        assert one.get_by_role("button", name="Pause").count() == 1
    first.page.evaluate("document.querySelector('audio').play()")
    first.get_by_role("button", name="Play").wait_for()
    first.get_by_role("button", name="Play").click()
    first.page.wait_for_function("document.querySelector('audio').paused")
    assert first.get_by_role("button", name="Pause").count() == 1


def test_light_and_dark_follow_the_page_or_else_the_system(page):
    picture = "document.querySelector('[data-track=mixture] canvas').toDataURL()"

    def theme(name: str) -> None:
        page.wait_for_function(f"document.documentElement.dataset.theme === '{name}'")
        paper = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 25, 29)"}[name]
        assert page.evaluate("getComputedStyle(document.getElementById('root')).backgroundColor") == paper

    for scheme in ("dark", "light"):
        page.page.emulate_media(color_scheme=scheme)
        theme(scheme)
    light = page.evaluate(picture)
    for attribute, values in (("data-jp-theme-light", ("false", "true")), ("data-theme", ("dark", "light"))):
        page.page.evaluate(f"document.body.setAttribute('{attribute}', '{values[0]}')")
        theme("dark")
        page.wait_for_function(f"(light) => {picture} !== light", arg=light)  # not in the colour of the other theme
        page.page.evaluate(f"document.body.setAttribute('{attribute}', '{values[1]}')")
        theme("light")
        page.wait_for_function(f"(light) => {picture} === light", arg=light)
        page.page.evaluate(f"document.body.removeAttribute('{attribute}')")


def test_reduced_motion_moves_the_cursor_in_steps(page):
    count = """() => new Promise((resolve) => {
      const lanes = document.querySelector(".stems-lanes"), seen = new Set(), end = performance.now() + 600;
      const look = () => { seen.add(lanes.style.getPropertyValue("--at"));
        performance.now() < end ? requestAnimationFrame(look) : resolve(seen.size); };
      look(); })"""
    steps = {}
    play(page)
    for motion in ("reduce", "no-preference"):
        page.page.emulate_media(reduced_motion=motion)
        steps[motion] = page.evaluate(count)
    assert 2 <= steps["reduce"] <= 4 < steps["no-preference"]


def test_what_cannot_be_decoded_is_named_and_the_rest_plays(open_page, frame, tracks):
    def broken(*names: tuple) -> player.Frame:
        stored = [{**track, "sound": b"no sound"} if (track["version"], track["source"]) in names else track
                  for track in frame.data["tracks"]]
        return dataclasses.replace(frame, data={**frame.data, "tracks": stored})

    one, nothing = opened(open_page, broken(("yours", "drums")), broken(*tracks), ready="[role=alert]")
    assert one.get_by_role("alert").inner_text() == "This browser cannot decode: drums (yours). The rest plays."
    play(one)
    assert place(*listen(one), tracks[None, "mixture"])[1] > 0.999
    assert nothing.get_by_role("alert").inner_text().startswith("This browser cannot decode any of the tracks")


def test_a_browser_without_web_audio_says_so(open_page, frame):
    page = opened(open_page, frame, before="delete window.OfflineAudioContext;", ready="[role=alert]")[0]
    assert page.get_by_role("alert").inner_text() == "This browser has no Web Audio, so nothing plays."


def test_a_spectrogram_shows_a_tone_at_its_frequency_and_a_quieter_one_darker(open_page):
    time = np.arange(int(SECONDS * RATE)) / RATE
    tone = np.sin(2 * np.pi * 3000 * time)
    page = opened(open_page, player.stems({"true": {"loud": 0.5 * tone, "quiet": 0.005 * tone}}, rate_hz=RATE))[0]
    page.get_by_role("radio", name="spectrogram").check()
    columns = page.wait_for_function("""() => {
      const columns = ["loud", "quiet"].map((name) => {
        const canvas = document.querySelector(`[data-track=${name}] canvas`);
        const { data } = canvas.getContext("2d").getImageData(canvas.width / 2, 0, 1, canvas.height);
        return Array.from({ length: canvas.height }, (_, y) => data[4 * y] + data[4 * y + 1] + data[4 * y + 2]);
      });
      return columns.every((column) => new Set(column).size > 2) && columns;  // drawn
    }""").json_value()
    loud, quiet = map(np.array, columns)
    height = len(loud)
    for column in (loud, quiet):
        assert (height - np.argmax(column) - 0.5) / height * RATE / 2 == pytest.approx(3000, abs=RATE / 2 / height)
    assert loud.max() > 600 > 450 > quiet.max() > quiet.min()


def test_nothing_is_cut_off_on_a_phone_or_a_desktop(page):
    fits = """innerWidth === given && document.documentElement.scrollWidth <= innerWidth
        && document.getElementById('root').getBoundingClientRect().bottom <= innerHeight"""
    for width in (375, 900):
        page.page.set_viewport_size({"width": width, "height": 1000})
        given = page.page.evaluate("document.querySelector('iframe').clientWidth")
        page.wait_for_function(f"(given) => {fits}", arg=given)
