"""The command line: the whole way on the embedded corpus, and what it says when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from corpora import wav_corpus

from dann_lib import bench
from dann_lib.__main__ import COMMANDS, MEASUREMENTS, main, newest_weights
from dann_lib.baselines import NETWORKS
from dann_lib.files import reference_folder
from dann_lib.reproduce import processes
from dann_lib.reproduce.experiments import MAIN_RUNS


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def trained(synthetic_root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "mine"
    assert main(["train", "--epochs", "2", "--folder", str(folder), "--device", "cpu", "--json"]) == 0
    return folder


def test_prepare_counts_the_songs(synthetic_root, capsys):
    code, out, _ = run(capsys, "prepare", "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["train"] + result["valid"], result["test"]) == (16, 8)
    assert result["skipped"] == {}


def test_train_writes_what_it_says(trained):
    assert {path.name for path in trained.iterdir()} == {
        "weights.safetensors", "checkpoint.pt", "history.csv", "config.json"}
    history = pd.read_csv(trained / "history.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert history["test_loss"].iloc[1] < history["test_loss"].iloc[0]


def test_separate_prints_where_the_stems_are(trained, tmp_path, capsys):
    song = tmp_path / "my song.wav"
    soundfile.write(song, 0.1 * np.random.default_rng(0).standard_normal((44_100, 2)), 44_100)
    code, out, _ = run(capsys, "separate", song, "--weights", trained / "weights.safetensors",
                       "--out", tmp_path / "out", "--format", "flac", "--gain", "vocals=-6", "--json")
    result = json.loads(out)
    assert code == 0
    assert [Path(path).name for path in result["stems"].values()] == [
        "vocals.flac", "drums.flac", "bass.flac", "other.flac"]
    assert all(soundfile.info(path).frames == 44_100 for path in result["stems"].values())
    assert Path(result["stems"]["bass"]).parent == tmp_path / "out" / "my song"


def test_evaluate_scores_network_and_oracles(trained, tmp_path, capsys):
    arguments = ("evaluate", "--weights", trained / "weights.safetensors", "--no-v4", "--out", tmp_path, "--json")
    code, out, _ = run(capsys, *arguments)
    result = json.loads(out)
    scores = pd.read_csv(result["scores"])
    assert code == 0
    assert list(scores.columns) == ["run", "song", "source", "rate_hz", "metric", "value"]
    assert result["songs"] == 8
    sdr = scores[scores["metric"] == "sdr"].groupby("run")["value"].median()
    assert sdr["ideal_ratio_mask"] > sdr["mine"]
    assert sdr["ideal_ratio_mask"] > sdr["mixture"] + 5
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("songs/**/*") if path.is_file()}
    assert written
    run(capsys, *arguments)
    assert {path: path.stat().st_mtime_ns for path in written} == written, "scores that are there stay"


@pytest.mark.parametrize(("arguments", "words"), [
    (("prepare", "--corpus", "/no/such/folder"), "/no/such/folder"),
    (("train", "--skips", "7"), "no skip connection [7]"),
    (("train", "--network", "unet"), "no network 'unet'"),
    (("train", "--patience", "3", "--held-out", "test"), "test songs"),
    (("train", "--device", "tpu"), "not available"),
    (("train", "--network", "cdae", "--skips", "1"), "cdae cannot have"),
    (("train", "--seed", str(2**70)), "seed"),
    (("separate", "missing.wav", "--weights", "missing.safetensors"), "no weights at"),
    (("evaluate", "--weights", "missing.safetensors"), "no weights at"),
])
def test_wrong_input_is_one_line_and_exit_code_2(synthetic_root, tmp_path, capsys, arguments, words):
    if arguments[0] == "train":
        arguments = (*arguments, "--folder", tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    (line,) = [line for line in err.splitlines() if line.startswith("error:")]
    assert words in line


def test_a_song_that_is_no_audio(trained, tmp_path, capsys):
    (tmp_path / "song.mp3").write_text("no audio" * 100)
    code, _, err = run(capsys, "separate", tmp_path / "song.mp3", "--weights", trained / "weights.safetensors")
    assert code == 2
    assert "is no audio that can be read" in err


def noise(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(seed).standard_normal((22_050, 1)), 22_050)
    return path


def test_a_name_that_is_no_unicode_is_a_name(tmp_path, capsys):
    song = noise(tmp_path / "song.wav").rename(tmp_path / os.fsdecode(b"\xff.wav"))
    code, out, err = run(capsys, "separate", song, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    assert Path(json.loads(out)["stems"]["bass"]) == tmp_path / "out" / "_" / "bass.wav"


def test_songs_of_one_name_keep_apart_and_a_bad_one_stops_no_other(tmp_path, capsys):
    songs = [noise(tmp_path / "a/song.wav", 1), tmp_path / "a/none.wav", noise(tmp_path / "b/song.wav", 2)]
    songs[2].write_bytes(songs[2].read_bytes()[: 22_050])
    for _ in range(2):
        code, out, err = run(capsys, "separate", *songs, "--out", tmp_path / "out", "--json")
        first, bad, second, end = map(json.loads, out.splitlines())
        assert (code, bad["song"]) == (2, str(songs[1]))
        assert "no file" in bad["error"] and "1 of 3 songs" in end["error"]
        assert len(err.splitlines()) >= 2 and "Traceback" not in err
        for result, song, name in ((first, songs[0], "song"), (second, songs[2], "song 2")):
            stems = {Path(path).parent: soundfile.read(path)[0] for path in result["stems"].values()}
            assert list(stems) == [tmp_path / "out" / name]
            total = sum(soundfile.read(path)[0] for path in result["stems"].values())
            np.testing.assert_allclose(total, soundfile.read(song)[0], atol=1e-3)
        assert first["missing_s"] == 0 and second["missing_s"] == pytest.approx(0.5, abs=0.01)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"song", "song 2"}


@pytest.mark.parametrize(("arguments", "words"), [
    ((), "would replace a song"), (("--device", "cuda:99"), "not available"), (("--device", "meta"), "not available"),
    (("--gain", "vocals=nan"), "from -100 to 30 dB"),
])
def test_what_would_destroy_a_song_or_cannot_be_done_is_refused_as_json_too(
        tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    song = noise(Path("vocals/vocals.wav"))
    before = song.read_bytes()
    code, out, err = run(capsys, "separate", song, "--out", ".", *arguments, "--json")
    assert code == 2 and words in json.loads(out)["error"] and words in err
    assert song.read_bytes() == before and list(tmp_path.rglob("*.*")) == [song.resolve()]


@pytest.mark.parametrize(("arguments", "words"), [
    (["separate", "a.wav", "--bits", "17"], "invalid choice: 17"), (["evaluate", "--jobs", "0"], "choose 1 or more"),
    (["reproduce", "--jobs", "-1"], "choose 1 or more"),
])
def test_wrong_arguments_are_json_too(capsys, arguments, words):
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--json"])
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert words in json.loads(captured.out)["error"] and words in captured.err


def test_what_nobody_foresaw_is_one_sentence_and_a_file(monkeypatch, capsys):
    from dann_lib import corpus

    monkeypatch.setattr(corpus, "open_corpus", lambda *_, **__: {}["key"])
    code, out, err = run(capsys, "prepare")
    assert (code, out, len(err.splitlines())) == (70, "", 1)
    report = Path(err.split()[-1])
    assert "Traceback" in report.read_text() and "KeyError" in report.read_text()
    report.unlink()


@pytest.mark.parametrize(("redirect", "code"), [("> /dev/full", 2), ("| true", 0), (">&-", 0), ("2>&-", 0), ("", 0)])
def test_standard_output_may_be_closed_full_or_plain(tmp_path, redirect, code):
    songs = [noise(tmp_path / "naïve.wav"), noise(tmp_path / "two.wav")][: 1 if code else 2]
    command = f'"{sys.executable}" -m dann_lib separate {" ".join(map(str, songs))} --out "{tmp_path}/out" {redirect}'
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONIOENCODING": "ascii"})
    assert done.returncode == code and "Traceback" not in done.stderr and "Exception" not in done.stderr, done.stderr
    assert len(list(tmp_path.rglob("out/*/vocals.wav"))) == len(songs)
    assert ("cannot write to standard output" in done.stderr) == bool(code)


def test_every_command_has_help(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
        text = capsys.readouterr().out
        assert len(text) > 300 and (command != "train" or all(name in text for name in NETWORKS))
    assert list(MEASUREMENTS) == sorted(bench.MEASUREMENTS)


def test_interrupting_is_exit_code_130(monkeypatch, capsys):
    from dann_lib import corpus

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(corpus, "open_corpus", interrupted)
    assert main(["prepare"]) == 130
    assert "goes on from there" in capsys.readouterr().err


def test_bench_compares_with_baselines_and_names_the_machine(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(processes, "ROUNDS", 1)
    readme = tmp_path / "README.md"
    readme.write_text("before\n" + "\nold\n".join(bench.MARKS) + "\nafter\n")
    code, out, _ = run(capsys, "bench", "--only", "opening", "--only", "preparation", "--runs", "1", "--json",
                       "--corpus", wav_corpus(tmp_path / "songs", 3, 1), "--readme", readme)
    results = json.loads(out)
    assert code == 0
    assert results["preparation"]["musdb_s"] > 0 < results["preparation"]["seconds"]
    assert results["opening"]["songs"] == 4
    assert results["opening"]["peak_mb"] > 10
    assert results["machine"]["threads"] >= 1
    assert results["machine"]["precision"] in ("bf16", "float32")
    text = readme.read_text()
    assert results["machine"]["text"] in text and results["opening"]["text"] in text
    assert text.startswith("before") and text.endswith("after\n") and "old" not in text


def test_the_module_runs_from_any_folder(tmp_path):
    root = Path(__file__).parents[1]
    result = subprocess.run([sys.executable, "-m", "dann_lib", "--help"], cwd=tmp_path, capture_output=True, text=True,
                            env={**os.environ, "PYTHONPATH": str(root)}, check=True)
    assert set(COMMANDS) <= set(result.stdout.split())


def test_without_weights_it_separates_with_the_network_that_comes_with_the_course():
    assert newest_weights() == reference_folder() / "weights" / f"{MAIN_RUNS[-1]}.safetensors"


def test_a_band_trains_on_stems_of_its_own(tmp_path, capsys):
    """Any stems: prepared, learned, separated and scored by their names, from a folder without mixtures."""
    random = np.random.default_rng(0)
    for subset, name in (("train", "a"), ("train", "b"), ("test", "c")):
        (folder := tmp_path / "band" / subset / name).mkdir(parents=True)
        for stem in ("banjo", "fiddle", "other")[: 2 if name == "b" else 3]:
            soundfile.write(folder / f"{stem}.wav", 0.1 * random.standard_normal((110_250, 2)), 44_100)
    code, out, _ = run(capsys, "train", "--corpus", tmp_path / "band", "--folder", tmp_path / "run", "--epochs", "1",
                       "--sources", "banjo", "other", "--remix", "--device", "cpu", "--json")
    assert code == 0
    weights = json.loads(out)["weights"]
    code, out, _ = run(capsys, "separate", tmp_path / "band" / "test" / "c" / "banjo.wav", "--weights", weights,
                       "--out", tmp_path / "out", "--json")
    assert code == 0
    assert [Path(path).name for path in json.loads(out)["stems"].values()] == ["banjo.wav", "other.wav", "rest.wav"]
    code, out, _ = run(capsys, "evaluate", "--corpus", tmp_path / "band", "--weights", weights, "--no-v4",
                       "--out", tmp_path / "scores", "--json")
    assert code == 0
    rows = pd.DataFrame(json.loads(out)["summary"])
    assert set(rows["source"]) == {"banjo", "other"} and {"mixture", "ideal_ratio_mask", "run"} <= set(rows["run"])
    code, _, error = run(capsys, "train", "--corpus", tmp_path / "band", "--folder", tmp_path / "other")
    assert code == 2 and "the songs have no vocals, drums, bass; choose among banjo, fiddle, other" in error
    code, _, error = run(capsys, "evaluate", "--weights", weights, "--no-v4", "--out", tmp_path / "scores")
    assert code == 2 and "the song has no banjo; it has mixture, vocals, drums, bass, other" in error
