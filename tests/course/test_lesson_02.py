"""Lesson 2: its own functions agree with the library and with theory, and its self-checks explain typical mistakes."""

from __future__ import annotations

import re
from itertools import pairwise

import jupytext
import numpy as np
import pytest
import torch
from lesson_code import FOLDER, definitions, drive, run_cell
from torch import Tensor

from dann_lib import report, spectrogram
from dann_lib.course.exercises import stft

EXCERPT = slice(0, 44 * report.HOP)


def noise(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape)).float()


def lesson(*names: str, **given: object) -> dict:
    """Functions of the lesson; those of step 4 need its windows and the excerpt."""
    return definitions("02_stft", *names, excerpt=EXCERPT, **given)


def solutions() -> dict:
    """The functions of the solutions."""
    cells = [cell for cell in jupytext.read(FOLDER / "solutions" / "02_stft.py").cells if "### BEGIN" in cell.source]
    namespace = {"torch": torch, "spectrogram": spectrogram, "song": {"mixture": noise(50_000)}}
    for cell in cells:
        run_cell(cell, namespace, "<solutions>")
    return namespace


def test_picture_and_sound_are_the_library_at_the_settings_of_the_report():
    functions = lesson("WINDOWS", "picture", "sound")
    waveform = noise(EXCERPT.stop)
    planes = functions["picture"](waveform)
    assert torch.allclose(spectrogram.from_complex(planes), spectrogram.stft(waveform), atol=1e-4)
    masked = planes * (planes.abs() > planes.abs().median())
    expected = spectrogram.istft(spectrogram.from_complex(masked), EXCERPT.stop)
    assert torch.allclose(functions["sound"](masked), expected, atol=1e-5)


@pytest.mark.parametrize("window", ["Hamming", "Hann", "rectangular"])
@pytest.mark.parametrize("overlap", [0, 0.5, 0.75])
@pytest.mark.parametrize("length", [256, 2048, 8192])
def test_it_can_be_undone_exactly_where_no_sample_is_lost(length, overlap, window):
    functions = lesson("WINDOWS", "picture", "sound", "smallest_sum")
    choice = {"length": length, "overlap": overlap, "window": window}
    waveform = noise(EXCERPT.stop)
    planes = functions["picture"](waveform, **choice)
    if functions["smallest_sum"](**choice) == 0:
        assert (window, overlap) == ("Hann", 0)
        with pytest.raises(RuntimeError, match="window overlap"):
            functions["sound"](planes, **choice)
    else:
        assert torch.allclose(functions["sound"](planes, **choice), waveform, atol=1e-4)


def test_the_smallest_sum_is_that_of_the_library_in_the_middle_of_a_song():
    middle = spectrogram.window_envelope(10)[4 * report.HOP : 6 * report.HOP]
    assert lesson("WINDOWS", "smallest_sum")["smallest_sum"]() == pytest.approx(float(middle.min()), rel=1e-5)


def test_loudest_keeps_its_share_and_changes_nothing_else():
    planes = torch.complex(noise(100, 40), noise(40, 100).T)
    kept = lesson("loudest")["loudest"](planes, 0.03)
    places = kept != 0
    assert float(places.float().mean()) == pytest.approx(0.03, abs=1e-3)
    assert torch.equal(kept[places], planes[places])
    assert planes[~places].abs().max() <= kept[places].abs().min()


def test_energy_is_packed_into_one_frame_or_one_bin():
    packed = lesson("WINDOWS", "picture", "packed")["packed"]
    click, tone = torch.zeros(EXCERPT.stop), torch.sin(2 * torch.pi * 441 / 8820 * torch.arange(EXCERPT.stop))
    click[20_000] = 1
    assert packed(click, 128) > 50 > packed(click, 8192)
    assert packed(tone, 8192) > 95 > packed(tone, 128)


def test_error_in_db():
    above_error_db = lesson("above_error_db")["above_error_db"]
    waveform = noise(1000)
    assert above_error_db(waveform, 1.1 * waveform) == pytest.approx(20, abs=1e-3)


def test_a_spectrogram_of_a_sound_stays_and_a_made_up_one_does_not():
    waveform = noise(20_000)
    mismatch = lesson("mismatch", mixture=waveform)["mismatch"]
    planes = spectrogram.stft(waveform)
    assert mismatch(planes) < 1e-5
    assert mismatch(torch.stack((planes.norm(dim=0), torch.zeros_like(planes[0])))) > 0.3


def test_the_dip_between_two_tones_follows_from_the_transform_of_the_window():
    window = torch.hamming_window(report.N_FFT)
    dip_db = lesson("dip_db", window=window)["dip_db"]

    def power(hz: float) -> float:
        return abs(np.sum(window.numpy() * np.exp(2j * np.pi * hz / report.SAMPLE_RATE * np.arange(report.N_FFT)))) ** 2

    for distance in (5, 7, 10, 20):
        expected = 10 * np.log10((power(0) + power(distance)) / (2 * power(distance / 2)))
        assert dip_db(distance) == pytest.approx(expected, abs=0.3)
    assert dip_db(5) <= 0 < 3 < dip_db(10)


def test_the_ideal_mask_of_a_part_is_the_best_between_0_and_1():
    source, rest = noise(2, 2, 30, 20)
    mixture = source + rest
    mask = lesson("ideal_mask")["ideal_mask"](source, mixture)
    assert mask.min() >= 0 and mask.max() <= 1
    best = (mask * mixture - source).abs()
    for other in torch.linspace(0, 1, 21):
        assert torch.all(best <= (other * mixture - source).abs() + 1e-6)


def test_solutions_agree_with_the_library():
    solved, waveform = solutions(), noise(20_000)
    frame = noise(report.N_FFT)
    bins = torch.fft.rfft(frame)
    assert all(solved["one_bin"](frame, k) == pytest.approx(complex(bins[k]), abs=0.05) for k in (0, 1, 102, 1024))
    planes = spectrogram.stft(waveform) * (noise(report.N_BINS, 20) > 0)
    window = torch.hamming_window(report.N_FFT)
    found = solved["overlap_and_add"](spectrogram.to_complex(planes), window, report.HOP)
    expected = spectrogram.istft(planes, 19 * report.HOP)
    assert torch.allclose(found[spectrogram.PAD :][: len(expected)], expected, atol=1e-5)


def test_the_binary_mask_has_the_smallest_error_of_all_binary_masks():
    source, rest = noise(2, 2, 30, 20)
    mixture = source + rest
    mask = solutions()["binary_mask"](source, mixture)
    error = (mask * mixture - source).norm(dim=0)
    assert torch.all(error <= ((1 - mask) * mixture - source).norm(dim=0))


def test_phases_come_nearer_with_every_round():
    """Griffin and Lim prove that the distance never grows."""
    waveform = stft._melody(report.SAMPLE_RATE)
    magnitude = spectrogram.stft(waveform).norm(dim=0)
    find_phases = solutions()["find_phases"]
    sounds = [find_phases(magnitude, len(waveform), rounds) for rounds in range(8)]
    off = [float((spectrogram.stft(sound).norm(dim=0) - magnitude).norm()) for sound in sounds]
    assert all(later <= earlier for earlier, later in pairwise(off))
    assert off[-1] < 0.7 * off[0]


def by_sums(frame: Tensor, k: int, n: int | None = None, sign: float = -1) -> complex:
    angle = 2 * torch.pi * k * torch.arange(len(frame)) / (n or len(frame))
    return complex((frame * angle.cos()).sum(), sign * (frame * angle.sin()).sum())


def test_a_bin_has_its_sign_its_size_and_two_parts():
    assert "wrong sign" in stft.check_bin(lambda frame, k: by_sums(frame, k, sign=1)).text
    assert "magnitude" in stft.check_bin(lambda frame, k: abs(by_sums(frame, k))).text
    assert "imaginary part is missing" in stft.check_bin(lambda frame, k: by_sums(frame, k).real).text
    assert "divide" in stft.check_bin(lambda frame, k: by_sums(frame, k) / len(frame)).text
    assert "not the number of bins" in stft.check_bin(lambda frame, k: by_sums(frame, k, len(frame) // 2 + 1)).text
    assert "half as many turns" in stft.check_bin(lambda frame, k: by_sums(frame, k, 2 * len(frame))).text
    assert "depend on k" in stft.check_bin(lambda frame, k: frame.sum()).text
    assert "one number" in stft.check_bin(lambda frame, k: frame * k).text
    assert "another length" in stft.check_bin(lambda frame, k: by_sums(frame, k, 64)).text


def overlapped(frames: Tensor, window: Tensor, hop: int, times: Tensor, by: Tensor) -> Tensor:
    """Overlap-add with any weights: pieces × times, divided by the sum of `by`."""
    pieces = torch.fft.irfft(frames, n=len(window), dim=0) * times[:, None]
    return stft.added(pieces, hop) / stft.added(by[:, None].expand_as(pieces), hop)


def test_an_inverse_weighs_frames_by_the_window():
    def with_weights(times: str, by: str) -> str:
        def answer(frames: Tensor, window: Tensor, hop: int) -> Tensor:
            choices = {"ones": torch.ones_like(window), "window": window, "squares": window**2}
            if by == "nothing":
                return stft.added(torch.fft.irfft(frames, n=64, dim=0) * choices[times][:, None], hop)
            return overlapped(frames, window, hop, choices[times], choices[by])

        return stft.check_inverse(answer).text

    assert "Too loud" in with_weights("window", "nothing")
    assert "window is still in it" in with_weights("ones", "nothing")
    assert "sum of the windows" in with_weights("window", "window")
    assert "only once" in with_weights("ones", "squares")
    assert "mean" in with_weights("ones", "ones")
    assert "masked ones" in with_weights("ones", "window")
    assert "least" not in with_weights("window", "squares") and "nearest sound" in with_weights("window", "squares")


def test_an_inverse_overlaps_by_the_hop_it_is_given():
    def side_by_side(frames: Tensor, window: Tensor, hop: int) -> Tensor:
        return torch.fft.irfft(frames, n=len(window), dim=0).T.flatten()

    def fixed(frames: Tensor, window: Tensor, hop: int) -> Tensor:
        return overlapped(frames, window, 32, window, window**2)

    assert "one after the other" in stft.check_inverse(side_by_side).text
    assert "hop" in stft.check_inverse(fixed).text


def test_a_binary_mask_compares_magnitudes_with_the_rest():
    check = stft.check_binary_mask
    assert "whole mixture" in check(lambda s, m: s.norm(dim=0) > m.norm(dim=0)).text
    assert "do not add up" in check(lambda s, m: s.norm(dim=0) > m.norm(dim=0) - s.norm(dim=0)).text
    assert "each part" in check(lambda s, m: s.abs() > (m - s).abs()).text
    assert "real parts" in check(lambda s, m: s[0] > (m - s)[0]).text
    assert "drops the source" in check(lambda s, m: s.norm(dim=0) <= (m - s).norm(dim=0)).text
    assert "0 and 1 only" in check(lambda s, m: s.norm(dim=0) / m.norm(dim=0)).text


def test_phases_without_magnitudes_restored_or_with_them_twice_are_explained():
    def start(magnitude: Tensor) -> Tensor:
        return torch.stack((magnitude, torch.zeros_like(magnitude)))

    def not_restored(magnitude: Tensor, n_samples: int, rounds: int) -> Tensor:
        planes = start(magnitude)
        for _ in range(rounds):
            planes = spectrogram.stft(spectrogram.istft(planes, n_samples))
        return spectrogram.istft(planes, n_samples)

    def twice(magnitude: Tensor, n_samples: int, rounds: int) -> Tensor:
        planes = start(magnitude)
        for _ in range(min(rounds, 3)):
            planes = magnitude * spectrogram.stft(spectrogram.istft(planes, n_samples))
        return spectrogram.istft(planes, n_samples)

    def by_zero(magnitude: Tensor, n_samples: int, rounds: int) -> Tensor:
        again = spectrogram.stft(torch.zeros(n_samples))
        return spectrogram.istft(magnitude * again / again.norm(dim=0), n_samples)

    assert "restore the given magnitudes" in stft.check_phases(not_restored).text
    assert "too loud" in stft.check_phases(twice).text
    assert "no numbers" in stft.check_phases(by_zero).text
    assert "waveform" in stft.check_phases(lambda magnitude, n_samples, rounds: start(magnitude)).text


def test_the_sliders_keep_more_of_the_song_with_every_share():
    names = ("WINDOWS", "picture", "sound", "loudest", "above_error_db", "heard", "greedy", "greedy_sliders")
    shown = drive(lesson(*names, mixture=0.1 * noise(EXCERPT.stop))["greedy_sliders"])
    for length, overlap in ((128, 0), (8192, 0.875)):
        least, all_of_it = (float(re.search(r"error: (-?[\d.]+) dB", shown[length, overlap, share])[1])
                            for share in (0.003, 1))
        assert least < 5 < 60 < all_of_it


def test_the_sliders_of_exercise_2_2_play_the_readers_function():
    names = ("heard", "above_error_db", "by_your_function", "by_your_function_sliders")
    solved, given = solutions(), {"whole": 0.1 * noise(344 * 128)}
    sliders = definitions("solutions/02_stft", *names, overlap_and_add=solved["overlap_and_add"], **given)
    assert len(drive(sliders["by_your_function_sliders"])) == 9
    too_loud = definitions("02_stft", *names, **given, overlap_and_add=lambda frames, window, hop: stft.added(
        torch.fft.irfft(frames, n=len(window), dim=0), hop))
    assert "error: -" in too_loud["by_your_function_sliders"].answer([1, 2, 5])
    blank = definitions("02_stft", "overlap_and_add", *names, **given)
    assert "Nothing is written" in blank["by_your_function_sliders"].answer([1, 2, 5])
