"""The transform in the page is the library's; what the explorers show, score and play is what they say."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch
from browser import module_url

from dann_lib import player, report, spectrogram
from dann_lib.evaluation.oracles import ideal_binary_mask, ideal_part_masks, ideal_ratio_mask, true_sources
from dann_lib.evaluation.projection import sdr_sir_sar

RATE = report.SAMPLE_RATE
WINDOWS = {"Hamming": torch.hamming_window, "Hann": torch.hann_window, "Blackman": torch.blackman_window,
           "rectangular": lambda length, dtype: torch.ones(length, dtype=dtype)}
NOTE_SOUNDS = """
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...when) {
  window.heard = { when, rate: this.buffer.sampleRate, samples: this.buffer.getChannelData(0).slice() };
  return start.apply(this, when);
};
"""


# Arrays travel as base64, on their own or in lists and objects.
PACKING = """
const each = (value, change) => (Array.isArray(value) ? value.map(change)
  : Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, change(inner)])));
function unpack(value) {
  if (!value || typeof value !== "object") return value;
  if (!value.float64) return each(value, unpack);
  return new Float64Array(Uint8Array.from(atob(value.float64), (letter) => letter.charCodeAt(0)).buffer);
}
function pack(value) {
  if (!value || typeof value !== "object") return value;
  if (!ArrayBuffer.isView(value)) return each(value, pack);
  const bytes = new Uint8Array(new Float64Array(value).buffer);
  return { float64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
}
"""


def pack(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: pack(inner) for name, inner in value.items()}
    if not isinstance(value, np.ndarray):
        return value
    return {"float64": base64.b64encode(np.ascontiguousarray(value, np.float64).tobytes()).decode()}


def unpack(value: Any) -> Any:
    if isinstance(value, dict) and "float64" in value:
        return np.frombuffer(base64.b64decode(value["float64"]), np.float64)
    if isinstance(value, list):
        return [unpack(inner) for inner in value]
    return {name: unpack(inner) for name, inner in value.items()} if isinstance(value, dict) else value


@pytest.fixture(scope="module")
def run(chromium):
    """Run JavaScript with the exports of a module as `m`, those of all as `modules`, values from Python as `given`."""
    context = chromium.new_context(offline=True)
    page = context.new_page()

    def evaluate(module: str, code: str, **given: Any) -> Any:
        body = f"""async ([url, packed]) => {{
            {PACKING}
            const given = unpack(packed), {{ default: modules }} = await import(url), m = modules["{module}"];
            return pack(await (async () => {{ {code} }})()); }}"""
        return unpack(page.evaluate(body, [module_url(module), pack(given)]))

    yield evaluate
    context.close()


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, 9000).astype(np.float32)


@pytest.fixture(scope="module")
def signals() -> np.ndarray:
    """Mixture, vocals, drums, bass, other: two seconds as 16-bit files have them."""
    t = np.arange(2 * RATE) / RATE
    bursts = np.random.default_rng(1).standard_normal(len(t)) * (t % 0.5 < 0.1)
    stems = np.stack([
        0.2 * np.sin(2 * np.pi * 600 * t + 8 * np.sin(2 * np.pi * 3 * t)), 0.1 * bursts,
        0.2 * np.sin(2 * np.pi * 90 * t), 0.05 * np.sin(2 * np.pi * 1500 * t),
    ])
    stems = np.round(stems * 2**15) / 2**15
    return np.concatenate([stems.sum(axis=0, keepdims=True), stems]).astype(np.float32)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


# The transform


def test_the_stft_is_the_librarys(run, noise):
    found = run("dsp.js", """
        const s = m.stft(Float32Array.from(given.x), m.makeWindow("Hamming", given.length), given.hop);
        return { real: s.real, imag: s.imag, nFrames: s.nFrames };
    """, x=noise, length=report.N_FFT, hop=report.HOP)
    expected = spectrogram.stft(torch.from_numpy(noise)).numpy()
    assert found["nFrames"] == expected.shape[-1]
    for part, plane in zip(("real", "imag"), expected, strict=True):
        assert relative(np.reshape(found[part], plane.T.shape), plane.T) < 1e-5


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("length", [256, 8192])
def test_other_windows_are_those_of_the_field(run, noise, window, length):
    hop = length // 4
    found = run("dsp.js", """
        const s = m.stft(Float32Array.from(given.x), m.makeWindow(given.window, given.length), given.hop);
        return [s.real, s.imag];
    """, x=noise, window=window, length=length, hop=hop)
    places = torch.stft(
        torch.from_numpy(noise).double(), length, hop, window=WINDOWS[window](length, dtype=torch.float64),
        pad_mode="constant", return_complex=True,
    )
    expected = np.stack([places.real.T.flatten(), places.imag.T.flatten()])
    assert relative(found, expected) < 1e-5


def test_the_inverse_of_a_changed_spectrogram_is_the_librarys(run, noise):
    mask = torch.rand(2, 1025, 9, generator=torch.Generator().manual_seed(0))
    plane = spectrogram.stft(torch.from_numpy(noise)) * mask
    found = run("dsp.js", """
        const w = m.makeWindow("Hamming", 2048), shape = { nFrames: 9, nBins: 1025, length: 2048, hop: 1024 };
        return m.istft({ real: given.real, imag: given.imag, ...shape }, w, given.n);
    """, real=plane[0].T.flatten().numpy(), imag=plane[1].T.flatten().numpy(), n=len(noise))
    assert relative(found, spectrogram.istft(plane, len(noise)).numpy()) < 1e-5


def test_there_and_back_nothing_is_lost_unless_samples_go_unseen(run, noise):
    errors = run("dsp.js", """
        const x = Float32Array.from(given.x), errors = {};
        for (const name of Object.keys(m.WINDOWS)) for (const length of [256, 2048, 8192]) {
          for (const overlap of [0.75, 0.5, 0.25, 0, -0.25]) {
            const w = m.makeWindow(name, length);
            const lost = m.subtract(x, m.istft(m.stft(x, w, length * (1 - overlap)), w, x.length));
            errors[[name, length, overlap]] = Math.max(-999, 10 * Math.log10(m.energy(lost) / m.energy(x)));
          }
        }
        return errors;
    """, x=noise)
    for setting, error in errors.items():
        window, _, overlap = setting.split(",")
        breaks = float(overlap) < 0 or (overlap == "0" and window in ("Hann", "Blackman"))
        assert error > -60 if breaks else error < -100, (setting, error)


def test_the_sdr_is_equation_5(run, signals):
    mixture, vocals, *_ = signals
    cases = [(mixture, vocals), (0.01 * mixture, vocals), (vocals + 0.1, vocals)]
    found = [run("dsp.js", "return m.sdrDb(given.a, given.b)", a=a, b=b) for a, b in cases]
    assert found == pytest.approx([sdr_sir_sar(a[None], b[None]).sdr[0] for a, b in cases], abs=1e-3)
    assert run("dsp.js", "return String(m.sdrDb([0, 0], [1, 2]))") == "-Infinity"
    assert run("dsp.js", "return String(m.sdrDb([1, 2], [0, 0]))") == "NaN"


@pytest.mark.parametrize("factor", [2, 5, 10])
def test_a_lower_rate_keeps_what_it_can_hold_and_nothing_else(run, factor):
    t, limit = np.arange(44100) / 44100, 22050 / factor
    low, high = (np.sin(2 * np.pi * share * limit * t) for share in (0.8, 1.1))
    kept = run("dsp.js", "return m.decimate(given.x, given.factor)", x=low + high, factor=factor)
    inside = slice(500 // factor, -500 // factor)
    assert relative(np.array(kept)[inside], low[::factor][inside]) < 1e-3
    back = run("dsp.js", "return m.interpolate(given.x, given.factor)", x=kept, factor=factor)
    inside = slice(1500, -1500)
    assert relative(np.array(back)[inside], low[inside]) < 2e-3


def test_the_loudest_share_is_that_share(run):
    values = np.abs(np.random.default_rng(0).standard_normal(20_000))
    for share in (0.001, 0.03, 0.2):
        least = run("dsp.js", "return m.loudestThreshold(given.v, given.share)", v=values, share=share)
        assert np.mean(values >= least) == pytest.approx(share, abs=0.002)


# Masks


def test_ideal_masks_give_what_the_oracles_give(run, signals):
    cases = {("binary", "ratio"): ideal_binary_mask, ("ratio", "ratio"): ideal_ratio_mask,
             ("parts", "signed"): ideal_part_masks, ("parts", "any"): true_sources}
    results = run("mask_explorer.js", """
        const song = m.prepare(Float32Array.from(given.mixture), given.sources, 2048, 1024);
        return given.cases.map(([kind, bound]) => {
            const mask = modules["masks.js"].IDEAL[kind](song.stems, 1, song.spectrogram);
            return m.separate(song, mask, bound, given.sources.drums).result;
        });
    """, mixture=signals[0], sources=dict(zip(report.SOURCES, signals[1:4], strict=True)), cases=list(cases))
    for case, found, oracle in zip(cases, results, cases.values(), strict=True):
        assert relative(found, oracle(signals)[1]) < 1e-3, case


def opened(open_html: Any, *explorers: player.Explorer) -> Any:
    """The page of explorers that note which sounds begin."""
    return open_html("".join(each._repr_html_() for each in explorers), before=NOTE_SOUNDS)


def drawn(page: Any, at: int = 0) -> Any:
    """The frame of an explorer once it has drawn its first picture."""
    page.frames[1 + at].wait_for_selector("#root[data-move-ms]")
    return page.frames[1 + at]


def heard(frame: Any) -> tuple[int, np.ndarray]:
    """Rate and samples of the sound that began last, once one has."""
    frame.wait_for_function("window.heard")
    rate, text = frame.evaluate("""() => {
        const letters = Array.from(new Uint8Array(heard.samples.buffer), (byte) => String.fromCharCode(byte));
        return [heard.rate, btoa(letters.join(""))]; }""")
    return rate, np.frombuffer(base64.b64decode(text), np.float32)


def fact(frame: Any, name: str) -> str:
    term = frame.locator("dt", has_text=re.compile(f"^{name}"))
    return frame.locator(".dann-facts div", has=term).locator("dd").inner_text()


def dB(text: str) -> float:
    return float(text.removesuffix(" dB").replace("−", "-").replace("∞", "inf"))


def choose(frame: Any, label: str, value: str, at: int = 0) -> None:
    """Choose, and wait for the next picture."""
    frame.get_by_role("combobox", name=label, exact=True).nth(at).select_option(value)
    settle(frame)


def settle(frame: Any) -> None:
    frame.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture(scope="module")
def mask_page(share_page, signals) -> Any:
    sources = dict(zip(report.SOURCES, signals[1:4], strict=True))
    return opened(share_page, player.mask_explorer(signals[0], sources, target="drums"))


@pytest.fixture
def masks(mask_page) -> Any:
    """The explorer of masks as it is when it has just been opened."""
    mask_page.reload()
    return drawn(mask_page)


def sdr(estimate: np.ndarray, signals: np.ndarray) -> float:
    return sdr_sir_sar(estimate[None], signals[1:], [1]).sdr[0]


def test_the_ideal_mask_is_scored_heard_and_undone(masks, signals):
    estimate = ideal_ratio_mask(signals)[1]
    before = fact(masks, "SDR for drums")
    assert dB(before) == pytest.approx(sdr(signals[0], signals), abs=0.06)
    choose(masks, "Ideal mask", "ratio")
    masks.get_by_role("button", name="Take it").click()
    settle(masks)
    assert dB(fact(masks, "SDR for drums")) == pytest.approx(sdr(estimate, signals), abs=0.06)
    assert dB(fact(masks, "Better by")) == pytest.approx(sdr(estimate, signals) - sdr(signals[0], signals), abs=0.11)

    masks.get_by_role("button", name="▶ Result").click()
    rate, samples = heard(masks)
    expected = soxr.resample(estimate, RATE, rate, quality="VHQ")
    error = samples - expected
    # The page's low-pass begins at 0.89 of half the rate, where the noise of the drums still has a little.
    assert np.sum(error**2) < 3e-3 * np.sum(expected**2)
    assert masks.get_by_role("button", name="■ Result").get_attribute("aria-pressed") == "true"

    masks.get_by_role("button", name="Undo").click()
    settle(masks)
    assert fact(masks, "SDR for drums") == before
    assert masks.get_by_role("button", name="Undo").is_disabled()


def test_bounds_cost_what_the_oracles_say(masks, signals):
    choose(masks, "Ideal mask", "parts")
    masks.get_by_role("button", name="Take it").click()
    choose(masks, "Mask may be", "signed")
    signed = ideal_part_masks(signals)[1]
    assert dB(fact(masks, "SDR for drums")) == pytest.approx(sdr(signed, signals), abs=0.06)
    choose(masks, "Mask may be", "any")
    assert dB(fact(masks, "SDR for drums")) > 80


def test_a_mask_on_one_part_leaves_the_other(masks, signals):
    planes = spectrogram.stft(torch.from_numpy(signals[0]))
    for kept, part in enumerate(("imag", "real")):
        masks.get_by_role("button", name="All on").click()
        choose(masks, "Edits go to", part)
        masks.get_by_role("button", name="All off").click()
        settle(masks)
        one = planes * torch.eye(2)[kept][:, None, None]
        expected = spectrogram.istft(one, signals.shape[-1]).numpy()
        assert dB(fact(masks, "SDR for drums")) == pytest.approx(sdr(expected, signals), abs=0.06)
        assert fact(masks, "Values erased") == "50.0 %"
        choose(masks, "Edits go to", "both")


def test_a_rectangle_is_erased_by_keyboard(masks, signals):
    masks.get_by_text("A rectangle in numbers").press("Enter")
    masks.get_by_label("highest frequency in Hz").fill("300")
    masks.get_by_role("button", name="Erase it").press("Enter")
    settle(masks)
    planes = spectrogram.stft(torch.from_numpy(signals[0]))
    planes[:, : int(300 * report.N_FFT / RATE) + 1, : int(2 * RATE / report.HOP) + 1] = 0
    expected = spectrogram.istft(planes, signals.shape[-1]).numpy()
    assert dB(fact(masks, "SDR for drums")) == pytest.approx(sdr(expected, signals), abs=0.06)
    masks.get_by_role("button", name="Erase the rest").press("Enter")
    settle(masks)
    assert fact(masks, "Level, result") == "−∞ dB"
    assert fact(masks, "SDR for drums") == "−∞ dB"


def test_the_threshold_moves_as_one_step(masks, signals):
    slider = masks.get_by_role("slider", name=re.compile("Erase what is quieter"))
    slider.press("End")
    for _ in range(10):
        slider.press("ArrowLeft")
    settle(masks)
    planes = spectrogram.stft(torch.from_numpy(signals[0]))
    quiet = spectrogram.magnitude_db(planes) < -10
    expected = spectrogram.istft(planes * ~quiet, signals.shape[-1]).numpy()
    assert fact(masks, "Values erased") == f"{100 * quiet.double().mean():.1f} %"
    assert dB(fact(masks, "SDR for drums")) == pytest.approx(sdr(expected, signals), abs=0.06)
    masks.get_by_role("button", name="Undo").click()
    settle(masks)
    assert fact(masks, "Values erased") == "0.0 %"


def test_the_brush_erases_what_it_touches_and_keeps_it_again(masks):
    box = masks.locator("canvas").first.bounding_box()
    page = masks.page

    def stroke() -> None:
        page.mouse.move(box["x"] + 150, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + 450, box["y"] + 160, steps=5)
        page.mouse.up()
        settle(masks)

    choose(masks, "Frequencies", "all")
    settle(masks)
    erased = masks.locator("canvas").first.screenshot()
    stroke()
    share = float(fact(masks, "Values erased").removesuffix(" %"))
    # A band of 2 × 16 px, 316 px long, with round ends, in a picture of about 800 × 230 px; cells count as a whole.
    assert 4 < share < 14
    assert masks.locator("canvas").first.screenshot() != erased
    choose(masks, "Paints", "1")
    stroke()
    assert fact(masks, "Values erased") == "0.0 %"


# The STFT explorer


@pytest.fixture(scope="module")
def stft_page(share_page, signals) -> Any:
    return opened(share_page, player.stft_explorer({"mixture": signals[0], "bass": signals[3]}))


@pytest.fixture
def stft_frame(stft_page) -> Any:
    """The explorer of the STFT as it is when it has just been opened."""
    stft_page.reload()
    return drawn(stft_page)


def test_numbers_follow_the_settings(stft_frame):
    choose(stft_frame, "Length", "512")
    choose(stft_frame, "Overlap", "0.75")
    assert fact(stft_frame, "Bins apart") == "17.23 Hz"
    assert fact(stft_frame, "Frames apart") == "14.5 ms"
    assert fact(stft_frame, "Window lasts") == "58.0 ms"
    assert fact(stft_frame, "Frames × bins") == "138 × 257"
    choose(stft_frame, "Sample rate", "4410")
    assert fact(stft_frame, "Bins apart") == "8.61 Hz"
    assert dB(fact(stft_frame, "Error there and back")) < -60
    choose(stft_frame, "Overlap", "-0.25")
    assert dB(fact(stft_frame, "Error there and back")) > -20
    assert "no frame looks at" in stft_frame.locator(".dann-alert").inner_text()


def test_what_is_lost_is_the_original_minus_the_resynthesis(stft_frame, signals):
    choose(stft_frame, "Keep", "real")
    planes = spectrogram.stft(torch.from_numpy(signals[0])) * torch.tensor([1.0, 0.0])[:, None, None]
    kept = spectrogram.istft(planes, signals.shape[-1]).numpy()
    for button, expected in (("Original", signals[0]), ("Resynthesis", kept), ("What is lost", signals[0] - kept)):
        stft_frame.evaluate("window.heard = null")
        stft_frame.get_by_role("button", name=f"▶ {button}").click()
        rate, samples = heard(stft_frame)
        wanted = soxr.resample(expected, RATE, rate, quality="VHQ")
        assert np.sum((samples - wanted) ** 2) < 2e-3 * np.sum(wanted**2), button
        level = 10 * np.log10(np.mean(expected.astype(np.float64) ** 2))
        assert dB(fact(stft_frame, f"Level, {button.lower()}")) == pytest.approx(level, abs=0.06)


def test_a_sound_that_is_changed_goes_on_where_it_is(stft_frame):
    stft_frame.get_by_role("button", name="▶ Resynthesis").click()
    rate, before = heard(stft_frame)
    at, offset = stft_frame.evaluate("heard.when")
    stft_frame.wait_for_function("document.querySelector('.dann-cursor').hidden === false")
    choose(stft_frame, "Keep", "zero")
    assert not np.array_equal(heard(stft_frame)[1], before)
    later, place = stft_frame.evaluate("heard.when")
    moved = ((later - at) - (place - offset)) * rate  # by whole rounds only, to the sample
    assert later > at and abs(moved - round(moved / len(before)) * len(before)) < 1e-3
    playing = stft_frame.get_by_role("button", name="■ Resynthesis")
    playing.click()
    assert stft_frame.get_by_role("button", name="▶ Resynthesis").get_attribute("aria-pressed") == "false"


def test_every_choice_draws_another_picture_without_an_error(open_page, signals, capsys):
    full = soxr.resample(signals[0][: RATE // 2], RATE, 44100)
    frame = drawn(opened(open_page, player.stft_explorer({"mixture": full}, 44100)))
    times = []
    for box in frame.get_by_role("combobox").all():
        values = box.locator("option").evaluate_all("options => options.map((option) => option.value)")
        for value in (*values, values[0]):
            box.select_option(value)
            times.append(float(frame.locator("#root").get_attribute("data-move-ms")))
    with capsys.disabled():
        print(f"\nSTFT explorer, 0.5 s at 44.1 kHz: {np.median(times):.0f} ms a move, {max(times):.0f} ms at most")
    assert dB(fact(frame, "Level, original")) == pytest.approx(10 * np.log10(np.mean(full**2)), abs=0.1)


# Both


def test_they_fit_the_page_and_take_the_place_of_the_still_picture(open_page, signals):
    bass = {"bass": signals[3]}
    page = opened(open_page, player.stft_explorer(bass), player.mask_explorer(signals[0], bass))
    for width, scheme in ((375, "dark"), (900, "light")):
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(color_scheme=scheme)
        for frame in (drawn(page, 0), drawn(page, 1)):
            frame.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
            frame.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
    assert page.locator("[data-still]").evaluate_all("stills => stills.map((each) => each.hidden)") == [True, True]
    unfocused = """controls => controls.filter((each) => each.checkVisibility() && !each.disabled).filter((each) => {
        each.focus({ focusVisible: true });
        return getComputedStyle(each).outlineStyle !== "solid"; }).map((each) => each.outerHTML)"""
    for frame in (drawn(page, 0), drawn(page, 1)):
        assert frame.locator("select, input:not([type=number]), button").evaluate_all(unfocused) == []


def test_the_browser_decodes_the_samples_that_were_stored(run, signals):
    stored = player.mask_explorer(signals[0], {"bass": signals[3]}).frame.data["sounds"][1]["audio"]
    found = run("sound.js", "return m.decodeSamples(given.file, given.rate, given.n)",
                file=base64.b64encode(stored).decode(), rate=RATE, n=signals.shape[-1])
    # Chromium takes 32767 as full scale, libsndfile 32768.
    assert np.abs(found - soundfile.read(io.BytesIO(stored))[0]).max() <= 2.0**-15
