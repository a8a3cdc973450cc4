"""A song through the network: the stream equals the whole, the stems add up, bad input ends in a sentence."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from dann_lib import report, spectrogram
from dann_lib.audio import stems as song_files
from dann_lib.audio.stems import separate_file
from dann_lib.baselines import build
from dann_lib.checkpoint import save_weights
from dann_lib.config import TrainingConfig
from dann_lib.errors import AudioError, OutputError
from dann_lib.separation import Separator

SMALL = {"channels": [4, 8, 8, 8], "bottleneck": 4}


@pytest.fixture(scope="module")
def separator() -> Separator:
    torch.manual_seed(0)
    return Separator.of(build("dann", **SMALL), TrainingConfig(network_options=SMALL), "cpu", "float32")


class Share(nn.Module):
    """A network whose masks are the same everywhere: vocals 0.5, drums 0.25, bass 0."""

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        shares = torch.tensor([0.5, 0.25, 0.0]).view(1, 3, 1, 1, 1)
        return shares.expand(len(planes), 3, *planes.shape[1:])


@pytest.fixture(scope="module")
def share() -> Separator:
    return Separator.of(Share(), TrainingConfig(), "cpu", "float32")


def noise(*shape: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(7).standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.01, 1.0, 10.21, 41.0, 97.3])
def test_the_stream_gives_what_the_whole_song_gives(separator, seconds):
    waveform = noise(2, int(seconds * report.SAMPLE_RATE))
    planes = spectrogram.stft(torch.from_numpy(waveform))
    whole = spectrogram.istft(separator.separate_spectrogram(planes), waveform.shape[-1]).numpy()
    np.testing.assert_allclose(separator.separate_waveform(waveform), whole, atol=3e-5)


def test_chunks_are_separated_as_in_the_report(separator):
    waveform = torch.from_numpy(noise(2 * 88 * 1024 - 1))
    planes = spectrogram.stft(waveform) * separator.config.gain
    with torch.no_grad():
        masks = spectrogram.stitch(separator.network(spectrogram.chunk(planes)), planes.shape[-1])
    expected = spectrogram.istft(masks * planes / separator.config.gain, len(waveform)).numpy()
    np.testing.assert_allclose(separator.separate_waveform(waveform.numpy()), expected, atol=5e-5)


@pytest.mark.parametrize("block_s", [0.05, 3.0])
def test_the_size_of_the_pieces_read_does_not_matter(separator, block_s):
    song = noise(44_100 * 12, 2)

    def stems(size: int) -> np.ndarray:
        blocks = (song[start : start + size] for start in range(0, len(song), size))
        return np.concatenate([s for _, s in song_files.separate_blocks(blocks, 44_100, 2, separator)], axis=1)

    np.testing.assert_allclose(stems(int(block_s * 44_100)), stems(len(song)), atol=1e-5)


@pytest.mark.parametrize("rate", [8000, 8820, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_comes_back_in_time_and_level(share, tmp_path, rate):
    time = np.arange(int(2.5 * rate)) / rate
    song = (0.4 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    soundfile.write(tmp_path / "song.wav", song, rate, subtype="FLOAT")
    done = separate_file(tmp_path / "song.wav", tmp_path / "stems", share, progress=False, bits=24)
    stems = {name: soundfile.read(path)[0] for name, path in done.stems.items()}
    assert (done.rate_hz, done.n_channels) == (rate, 1)
    assert {len(stem) for stem in stems.values()} == {len(song)}
    middle = slice(rate // 2, 2 * rate)
    np.testing.assert_allclose(stems["vocals"][middle], 0.5 * song[middle], atol=2e-3)
    np.testing.assert_allclose(stems["other"][middle], 0.25 * song[middle], atol=2e-3)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_stems_keep_the_channels_and_add_up(separator, tmp_path, channels):
    song = noise(44_100 * 3, channels)
    soundfile.write(tmp_path / "song.flac", song, 44_100, subtype="PCM_24")
    done = separate_file(tmp_path / "song.flac", tmp_path / "stems", separator, progress=False, bits=24,
                         file_format="flac")
    stems = [soundfile.read(path, always_2d=True)[0] for path in done.stems.values()]
    assert [path.suffix for path in done.stems.values()] == [".flac"] * 4
    assert stems[0].shape == song.shape
    np.testing.assert_allclose(sum(stems), song, atol=1e-5)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg"])
def test_formats_that_are_read(share, tmp_path, suffix):
    soundfile.write(tmp_path / f"song{suffix}", noise(44_100, 2), 44_100)
    done = separate_file(tmp_path / f"song{suffix}", tmp_path / "stems", share, progress=False)
    assert done.duration_s == pytest.approx(1.0, abs=0.06)
    assert soundfile.info(done.stems["vocals"]).subtype == "PCM_16"


def test_gains_are_applied_and_clipping_is_counted(share, tmp_path):
    soundfile.write(tmp_path / "song.wav", 5 * noise(44_100, 1), 44_100, subtype="FLOAT")
    quiet = separate_file(tmp_path / "song.wav", tmp_path / "a", share, progress=False)
    loud = separate_file(tmp_path / "song.wav", tmp_path / "b", share, progress=False,
                         gains_db={"drums": -6.0206, "vocals": 20.0})
    drums = [soundfile.read(done.stems["drums"])[0] for done in (quiet, loud)]
    np.testing.assert_allclose(drums[1], 0.5 * drums[0], atol=1e-4)
    assert loud.n_clipped["vocals"] > 100
    assert quiet.n_clipped["vocals"] == loud.n_clipped["drums"] == 0


@pytest.mark.parametrize("n_samples", [1, 200, 5000])
def test_a_song_shorter_than_one_chunk(separator, tmp_path, n_samples):
    soundfile.write(tmp_path / "song.wav", noise(n_samples, 2), 44_100)
    done = separate_file(tmp_path / "song.wav", tmp_path / "stems", separator, progress=False)
    assert soundfile.info(done.stems["bass"]).frames == n_samples


def test_silence_stays_silent(separator, tmp_path):
    soundfile.write(tmp_path / "song.wav", np.zeros((44_100, 2)), 44_100)
    done = separate_file(tmp_path / "song.wav", tmp_path / "stems", separator, progress=False)
    assert all(np.all(soundfile.read(path)[0] == 0) for path in done.stems.values())


def broken_songs(folder: Path) -> dict[str, str]:
    """Files that are no song, and a word of the sentence that says so."""
    (folder / "text.mp3").write_text("this is no audio at all, whatever its name says. " * 40)
    (folder / "nothing.wav").write_bytes(b"")
    soundfile.write(folder / "empty.wav", np.zeros((0, 2)), 44_100)
    for name, value in (("nan", np.nan), ("inf", -np.inf)):
        song = noise(44_100 * 12, 2)
        song[44_100 * 11, 1] = value
        soundfile.write(folder / f"{name}.wav", song, 44_100, subtype="FLOAT")
    soundfile.write(folder / "cut.flac", noise(44_100 * 20, 2), 44_100)
    content = (folder / "cut.flac").read_bytes()
    (folder / "cut.flac").write_bytes(content[: len(content) // 2])
    return {"text.mp3": "no audio", "nothing.wav": "no audio", "empty.wav": "no samples",
            "nan.wav": "no finite number at 11.00 s", "inf.wav": "no finite number at 11.00 s",
            "cut.flac": "damaged after", "missing.wav": "no file"}


def test_bad_songs_end_in_a_sentence_and_older_stems_stay(share, tmp_path):
    stems = tmp_path / "stems"
    soundfile.write(tmp_path / "good.wav", noise(4410, 1), 44_100)
    done = separate_file(tmp_path / "good.wav", stems, share, progress=False)
    before = {path: path.read_bytes() for path in done.stems.values()}
    for name, words in broken_songs(tmp_path).items():
        with pytest.raises(AudioError, match=words):
            separate_file(tmp_path / name, stems, share, progress=False)
        assert {path: path.read_bytes() for path in before} == before, name
        assert len(list(stems.iterdir())) == 4, f"{name} left something behind"


class NoNumbers(Share):
    """A network with damaged weights."""

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        return super().forward(planes) * torch.nan


@pytest.mark.parametrize(("network", "loudest", "words"), [
    (Share, 1e38, "the song at .* is no sound"), (Share, 1e5, "the song at .* is no sound"),
    (NoNumbers, 0.1, "what the network gives is no sound"),
])
def test_what_is_no_number_never_becomes_sound(tmp_path, network, loudest, words):
    separator = Separator.of(network(), TrainingConfig(), "cpu", "float32")
    song = noise(44_100 * 12, 2)
    song[44_100 * 11] = loudest
    soundfile.write(tmp_path / "song.wav", song, 44_100, subtype="FLOAT")
    with pytest.raises(AudioError, match=words):
        separate_file(tmp_path / "song.wav", tmp_path / "stems", separator, progress=False)
    assert list((tmp_path / "stems").iterdir()) == []
    with pytest.raises(AudioError, match=words):
        separator.separate_waveform(song.T)


@pytest.mark.parametrize(("limit", "value", "words"), [
    ("WAV_BYTES", 10_000, None), ("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0), "would take 0 MB"),
])
def test_space_and_size_are_thought_of_before_computing(share, tmp_path, monkeypatch, limit, value, words):
    soundfile.write(tmp_path / "song.wav", noise(44_100, 1), 44_100)
    monkeypatch.setattr(f"dann_lib.audio.stems.{limit}", value)
    with pytest.raises(OutputError, match=words) if words else contextlib.nullcontext():
        done = separate_file(tmp_path / "song.wav", tmp_path / "stems", share, progress=False)
        assert {soundfile.info(path).format for path in done.stems.values()} == {"RF64"}
        assert soundfile.read(done.stems["vocals"])[0].shape == (44_100,)


def test_space_is_needed_for_as_many_stems_as_there_are(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "song.wav", np.zeros(500_000), 44_100)
    monkeypatch.setattr("dann_lib.audio.stems.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 0))
    for names, megabytes in ((report.SOURCES[:1], 2), (report.SOURCES, 4), (("a", "b", "c", "d", "e"), 6)):
        separator = Separator.of(Share(), TrainingConfig(sources=names), "cpu", "float32")
        with pytest.raises(OutputError, match=f"would take {megabytes} MB"):  # 1 MB a stem, the rest is one
            separate_file(tmp_path / "song.wav", tmp_path / "stems", separator, progress=False)


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names of files are text there")
def test_a_folder_may_have_a_name_that_is_no_text(share, tmp_path):
    soundfile.write(tmp_path / "song.wav", noise(44_100, 1), 44_100)
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    done = separate_file(tmp_path / "song.wav", folder, share, progress=False)
    assert {path.name for path in folder.iterdir()} == {f"{name}.wav" for name in done.stems}
    sound, _ = soundfile.read(os.fsencode(done.stems["vocals"]))
    assert sound.shape == (44_100,) and np.abs(sound).max() > 0


@pytest.mark.parametrize("gain", [np.nan, np.inf, -np.inf, 31, 1e6, -101])
def test_gains_that_are_none_are_refused(share, tmp_path, gain):
    soundfile.write(tmp_path / "song.wav", noise(4410, 1), 44_100)
    with pytest.raises(ValueError, match="from -100 to 30 dB"):
        separate_file(tmp_path / "song.wav", tmp_path / "stems", share, progress=False, gains_db={"bass": gain})


def test_a_folder_that_cannot_be_written(share, tmp_path):
    soundfile.write(tmp_path / "song.wav", noise(4410, 1), 44_100)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose another folder"):
        separate_file(tmp_path / "song.wav", tmp_path / "file" / "stems", share, progress=False)


FULL_DISK = """
import resource, sys
from test_separation import Share, noise
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
from dann_lib.config import TrainingConfig
from dann_lib.errors import OutputError
from dann_lib.separation import Separator
from dann_lib.audio.stems import separate_file
try:
    separate_file(sys.argv[1], sys.argv[2], Separator.of(Share(), TrainingConfig(), "cpu", "float32"), progress=False)
except OutputError as error:
    print("OUTPUT ERROR", error)
"""


def run_child(script: str, *arguments: str | Path) -> subprocess.CompletedProcess:
    paths = os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[1])))
    return subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": paths}, timeout=600)


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    soundfile.write(tmp_path / "song.wav", noise(44_100 * 30, 2), 44_100)
    result = run_child(FULL_DISK, tmp_path / "song.wav", tmp_path / "stems")
    assert "OUTPUT ERROR cannot write" in result.stdout, result.stderr
    assert list((tmp_path / "stems").iterdir()) == []


LONG = """
import sys
from dann_lib.reproduce.processes import peak_memory
from dann_lib.separation import Separator
from dann_lib.audio.stems import separate_file
separator = Separator.load(sys.argv[3], "cpu")
done = separate_file(sys.argv[1], sys.argv[2], separator, progress=False)
print(done.duration_s, peak_memory() / 1e6, done.duration_s / done.elapsed_s)
"""


@pytest.mark.slow
def test_the_length_of_a_song_takes_no_memory(tmp_path):
    weights, song = tmp_path / "weights.safetensors", tmp_path / "long.wav"
    save_weights(weights, build("dann", **SMALL), TrainingConfig(network_options=SMALL))
    block = noise(16_000 * 60, 2)
    with soundfile.SoundFile(song, "w", 16_000, 2, "PCM_16") as file:
        for _ in range(20):
            file.write(block)
    result = run_child(LONG, song, tmp_path / "stems", weights)
    assert result.returncode == 0, result.stderr
    seconds, megabytes, _ = map(float, result.stdout.split())
    assert seconds == 1200
    assert megabytes < 700  # the stems alone are 614 MB in float32


def test_the_mixture_of_a_real_song_in_stem_format(share, tmp_path, musdb_path):
    song = next(iter(sorted(musdb_path.glob("test/*.stem.mp4"))))
    done = separate_file(song, tmp_path / "stems", share, progress=False)
    assert (done.rate_hz, done.n_channels) == (44_100, 2)
    assert done.duration_s == pytest.approx(7, abs=1)


def test_the_end_of_a_song_is_separated_with_what_is_before_it(separator):
    n_frames = 88 + 5
    planes = torch.randn(1, 2, 1025, n_frames, generator=torch.Generator().manual_seed(3))
    ends = separator.separate_spectrogram(planes)[..., 88:]
    last_chunk = separator.separate_spectrogram(planes[..., 5:])[..., -5:]
    torch.testing.assert_close(ends, last_chunk, atol=1e-5, rtol=1e-4)
