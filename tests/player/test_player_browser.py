"""The stem player in a browser: what comes out of the loudspeaker, not what the labels say."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
import soundfile

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


@pytest.fixture
def show(open_page):
    """Open players in a page with a tap at the loudspeaker, and give back their frames."""

    def opened(*players: Any, before: str = "", content: str = "", ready: str = ".stems-row", **options: Any) -> Any:
        page = open_page(content + "".join(each._repr_html_() for each in players), before=TAP + before, **options)
        frames = page.frames[1:]
        for each in frames:
            each.wait_for_selector(ready)
        return frames if len(frames) > 1 else frames[0]

    return opened


def decoded(frame: player.Frame) -> dict[tuple[str | None, str], np.ndarray]:
    return {(track["version"], track["source"]): soundfile.read(io.BytesIO(track["sound"]))[0]
            for track in frame.data["tracks"]}


def from_now_on(page: Any) -> None:
    """Let `caught` begin where a change that was just made has been carried out."""
    page.evaluate("window.from = (clock.currentTime + 0.1) * clock.sampleRate")


def caught(page: Any) -> list[tuple[int, list[float]]]:
    """Blocks of what was heard since `from_now_on`, each with the number of its first sample."""
    return page.evaluate("heard.filter(([frame]) => frame >= window.from)")


def listen(page: Any, seconds: float = 0.5) -> tuple[int, np.ndarray]:
    """Number of the first sample and the samples of what is heard once a change that was just made is carried out."""
    from_now_on(page)
    page.wait_for_function(f"heard.some(([frame]) => frame >= window.from + {seconds * RATE})")
    blocks = caught(page)
    starts = np.array([start for start, _ in blocks])
    assert np.all(np.diff(starts) == 128), "the capture has a gap"
    return int(starts[0]), np.concatenate([samples for _, samples in blocks])


def place(start: int, samples: np.ndarray, track: np.ndarray) -> tuple[int, float]:
    """The sample of the clock at which the track would have begun, and the share of the sound that it explains."""
    size = len(track) + len(samples)
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


def test_it_plays_what_it_was_given_at_its_own_level_and_the_position_advances(show, frame):
    page = show(frame)
    play(page)
    mixture = decoded(frame)[None, "mixture"]
    first = listen(page)
    before = position(page)
    begin, share = place(*first, mixture)
    assert share > 0.999
    assert mixed(first, {"mixture": mixture}, "mixture") == {"mixture": pytest.approx(1.0, abs=1e-3)}
    second = listen(page)
    assert place(*second, mixture)[0] == begin
    assert position(page) > before
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(200)
    stopped = position(page)
    page.wait_for_timeout(400)
    assert position(page) == stopped > 0


def test_all_tracks_decode_to_the_same_length_without_a_shift(show, frame):
    """The encoder's delay is cut off, or at least the same everywhere."""
    page = show(frame)
    sounds = [frame.model()["tracks"][index]["sound"] for index in range(len(frame.data["tracks"]))]
    answers = [page.evaluate("""async (bytes) => {
        const context = new OfflineAudioContext(1, 1, 22050);
        const samples = (await context.decodeAudioData(Uint8Array.from(bytes).buffer)).getChannelData(0);
        return [samples.length, Array.from(samples.subarray(0, 50_000))];
    }""", list(sound)) for sound in sounds]
    lengths, samples = zip(*answers, strict=True)
    assert len(set(lengths)) == 1
    given = [noise(1) + noise(2), noise(1), noise(2), noise(3), noise(4, 0.05)]
    shifts = [place(0, truth[RATE:2 * RATE], np.array(each))[0] for truth, each in zip(given, samples, strict=True)]
    assert shifts == [-RATE] * len(shifts)


def test_a_switch_of_versions_keeps_the_place_to_the_sample(show, frame):
    page = show(frame)
    tracks = decoded(frame)
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
def test_a_switch_does_not_click(show, before):
    """Two tones of one frequency: a jump from one to the other would be 0.4, their own steps are below 0.02.

    Both at once would reach 0.42, so one goes while the other comes. Where so much else runs that the page was late,
    it is tried again.
    """
    time = np.arange(int(SECONDS * RATE)) / RATE
    tones = [(0.3 * np.cos(2 * np.pi * 200 * time + phase)).astype(np.float32) for phase in (0, np.pi / 2)]
    page = show(player.stems({"a": {"tone": tones[0]}, "b": {"tone": tones[1]}}, rate_hz=RATE), before=before)
    play(page)
    for _ in range(8):
        press(page, "Home")
        from_now_on(page)
        page.evaluate("late = false")
        for key in "babababa":
            press(page, key)
            page.wait_for_timeout(60)
        if not page.evaluate("late"):
            break
    assert not page.evaluate("late"), "changes are asked for when it is too late for them"
    samples = np.concatenate([block for _, block in caught(page)])
    assert len(samples) > 0.3 * RATE
    assert np.abs(np.diff(samples)).max() < 0.05
    assert np.abs(samples).max() < 0.31


def test_solo_mute_and_volume_change_what_is_heard(show, frame):
    page = show(frame)
    tracks = {key: samples for key, samples in decoded(frame).items() if key[0] is not None}
    play(page)

    def gains() -> dict[tuple, float]:
        press(page, "Home")
        heard = listen(page, 0.3)
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


def test_a_loop_repeats_its_samples_and_stays_inside(show, frame):
    page = show(frame)
    lane = page.locator("[data-track=drums] .stems-lane")
    box = lane.bounding_box()
    mouse = page.page.mouse
    mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 10)
    mouse.down()
    mouse.move(box["x"] + 0.35 * box["width"], box["y"] + 12, steps=4)
    mouse.up()
    assert page.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"
    start, end = page.evaluate("""() => ["start", "end"].map((name) => Number(
        document.querySelector(".stems-lanes").style.getPropertyValue(`--loop-${name}`)))""")
    play(page)
    _, samples = listen(page, 1.6)
    period = round(end * SECONDS * RATE) - round(start * SECONDS * RATE)
    assert period == pytest.approx(0.1 * SECONDS * RATE, rel=0.02)
    np.testing.assert_allclose(samples[500:500 + period], samples[500 + period:500 + 2 * period], atol=1e-6)
    for _ in range(20):
        assert start * SECONDS - 0.1 <= position(page) <= end * SECONDS + 0.1
        page.wait_for_timeout(30)


def test_everything_works_by_keyboard(show, frame):
    page = show(frame)
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


def test_every_control_is_reached_with_tab_and_shows_its_focus(show, frame):
    page = show(frame)
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


def test_one_player_stops_another(show, frame):
    first, second = show(frame, frame)
    play(first)
    play(second)
    first.get_by_role("button", name="Play").wait_for()
    assert second.get_by_role("button", name="Pause").count() == 1
    play(first)
    second.get_by_role("button", name="Play").wait_for()
    assert first.get_by_role("button", name="Pause").count() == 1


def test_a_plain_sound_and_a_player_stop_each_other(show, frame):
    page = show(frame, content=player.audio(noise(5), RATE)._repr_html_())
    top = page.page
    play(page)
    top.evaluate("document.querySelector('audio').play()")
    page.get_by_role("button", name="Play").wait_for()
    page.get_by_role("button", name="Play").click()
    top.wait_for_function("document.querySelector('audio').paused")
    assert page.get_by_role("button", name="Pause").count() == 1


@pytest.mark.parametrize("attribute", ["data-jp-theme-light", "data-theme"])
def test_light_and_dark_follow_the_page(show, frame, attribute):
    page = show(frame)

    def look(dark: bool) -> tuple[str, str]:
        value = str(not dark).lower() if attribute == "data-jp-theme-light" else ("dark" if dark else "light")
        page.page.evaluate(f"document.body.setAttribute('{attribute}', '{value}')")
        page.wait_for_function(f"document.documentElement.dataset.theme === '{'dark' if dark else 'light'}'")
        page.wait_for_timeout(100)
        return page.evaluate("""() => [getComputedStyle(document.getElementById("root")).backgroundColor,
            document.querySelector("[data-track=mixture] canvas").toDataURL()]""")

    light, dark = look(False), look(True)
    assert light[0] == "rgb(255, 255, 255)" and dark[0] == "rgb(22, 25, 29)"
    assert light[1] != dark[1], "the waveform keeps the colour of the other theme"
    assert look(False) == light


@pytest.mark.parametrize(("scheme", "theme"), [("dark", "dark"), ("light", "light")])
def test_without_a_theme_the_system_decides(show, frame, scheme, theme):
    assert show(frame, color_scheme=scheme).evaluate("document.documentElement.dataset.theme") == theme


def test_reduced_motion_moves_the_cursor_in_steps(show, frame):
    count = """() => new Promise((resolve) => {
      const lanes = document.querySelector(".stems-lanes"), seen = new Set(), end = performance.now() + 1000;
      const look = () => { seen.add(lanes.style.getPropertyValue("--at"));
        performance.now() < end ? requestAnimationFrame(look) : resolve(seen.size); };
      look(); })"""
    steps = {}
    for motion in ("reduce", "no-preference"):
        page = show(frame, reduced_motion=motion)
        play(page)
        steps[motion] = page.evaluate(count)
        page.get_by_role("button", name="Pause").click()
    assert 2 <= steps["reduce"] <= 6 < steps["no-preference"]


def test_a_track_that_cannot_be_decoded_is_named_and_the_rest_plays(show, frame):
    tracks = [{**track, "sound": b"no sound"} if track["version"] == "yours" and track["source"] == "drums" else track
              for track in frame.data["tracks"]]
    page = show(dataclasses.replace(frame, data={**frame.data, "tracks": tracks}))
    assert page.get_by_role("alert").inner_text() == "This browser cannot decode: drums (yours). The rest plays."
    play(page)
    assert place(*listen(page), decoded(frame)[None, "mixture"])[1] > 0.999


def test_where_nothing_can_play_it_says_so(show, frame):
    page = show(frame, before="delete window.OfflineAudioContext;", ready="[role=alert]")
    assert page.get_by_role("alert").inner_text() == "This browser has no Web Audio, so nothing plays."
    tracks = [{**track, "sound": b"no sound"} for track in frame.data["tracks"]]
    page = show(dataclasses.replace(frame, data={**frame.data, "tracks": tracks}), ready="[role=alert]")
    assert page.get_by_role("alert").inner_text().startswith("This browser cannot decode any of the tracks")


def test_a_spectrogram_shows_a_tone_at_its_frequency_and_a_quieter_one_darker(show):
    time = np.arange(int(SECONDS * RATE)) / RATE
    tone = np.sin(2 * np.pi * 3000 * time)
    page = show(player.stems({"true": {"loud": 0.5 * tone, "quiet": 0.005 * tone}}, rate_hz=RATE))
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


@pytest.mark.parametrize("width", [375, 900])
def test_nothing_is_cut_off_on_a_phone_or_a_desktop(show, frame, width):
    page = show(frame, width=width)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.getElementById('root').getBoundingClientRect().bottom <= innerHeight")
