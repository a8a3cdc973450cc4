"""The STFT of section II.b: shapes, invertibility, and chunks that equal the whole."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch

from dann_lib import report, spectrogram


@pytest.fixture(scope="module")
def song() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(230_123).astype(np.float32))


def test_one_chunk_is_1025_bins_by_88_frames_and_lasts_ten_seconds():
    assert spectrogram.stft(torch.zeros((report.N_FRAMES - 1) * report.HOP)).shape == (2, 1025, 88)
    chunk_samples = report.N_FRAMES * report.HOP
    assert chunk_samples / report.SAMPLE_RATE == pytest.approx(10.2, abs=0.05)
    assert chunk_samples / report.SONG_RATE == pytest.approx(2.04, abs=0.01)


def test_stft_equals_librosa(song):
    ours = spectrogram.to_complex(spectrogram.stft(song)).numpy()
    theirs = librosa.stft(song.numpy(), n_fft=2048, hop_length=1024, window="hamming", pad_mode="constant")
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("n_samples", [1, 1023, 1024, 1025, 2048, 90_112, 100_001])
def test_istft_inverts_stft(n_samples):
    waveform = torch.randn(3, n_samples, generator=torch.Generator().manual_seed(n_samples))
    back = spectrogram.istft(spectrogram.stft(waveform), n_samples)
    torch.testing.assert_close(back, waveform, atol=1e-5, rtol=0)


def test_istft_equals_torch_where_the_spectrogram_was_changed(song):
    changed = spectrogram.stft(song) * torch.rand(2, 1025, 1, generator=torch.Generator().manual_seed(1))
    ours = spectrogram.istft(changed, song.shape[-1])
    theirs = torch.istft(
        spectrogram.to_complex(changed), 2048, 1024, window=torch.hamming_window(2048), length=song.shape[-1]
    )
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_a_sine_peaks_in_its_bin_and_silence_has_the_lowest_level():
    sine = torch.sin(2 * torch.pi * 100 * torch.arange(20_000) / report.N_FFT)
    level = spectrogram.magnitude_db(spectrogram.stft(sine))
    assert level[:, 10].argmax() == 100
    assert torch.all(spectrogram.magnitude_db(spectrogram.stft(torch.zeros(5000))) == -80)


def test_stitch_undoes_chunk(song):
    whole = spectrogram.stft(song)
    chunks = spectrogram.chunk(whole)
    assert chunks.shape == (-(-whole.shape[-1] // 88), 2, 1025, 88)
    torch.testing.assert_close(spectrogram.stitch(chunks, whole.shape[-1]), whole, atol=0, rtol=0)
    assert torch.all(chunks[-1][..., whole.shape[-1] % 88 :] == 0), "the last one is padded with zeros"


def test_chunks_of_the_waveform_are_chunks_of_the_spectrogram(song):
    whole = spectrogram.chunk(spectrogram.stft(song))
    for index in range(len(whole) - 1):
        piece = spectrogram.chunk_samples(song.numpy(), index * 88)
        torch.testing.assert_close(spectrogram.frames(torch.from_numpy(piece)), whole[index], atol=1e-5, rtol=0)


def test_chunk_samples_at_both_ends_equal_the_padded_song(song):
    piece = spectrogram.chunk_samples(song.numpy(), 200, 60)
    n_left = spectrogram.n_frames(song.shape[-1]) - 200
    found = spectrogram.frames(torch.from_numpy(piece))[..., :n_left]
    torch.testing.assert_close(found, spectrogram.stft(song)[..., 200:], atol=1e-5, rtol=0)
    assert np.all(spectrogram.chunk_samples(song.numpy(), 10_000) == 0)


@pytest.mark.parametrize("call", [
    lambda: spectrogram.stft(torch.zeros(0)),
    lambda: spectrogram.chunk(torch.zeros(2, 1025, 0)),
    lambda: spectrogram.istft(torch.zeros(2, 1025, 3), 5000),
    lambda: spectrogram.stitch(torch.zeros(2, 2, 1025, 88), 200),
])
def test_impossible_lengths_are_refused(call):
    with pytest.raises(ValueError, match="frames|samples"):
        call()
