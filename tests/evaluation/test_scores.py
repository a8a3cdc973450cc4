"""The table of scores and its summary: complete, resumable, honest about what is left out."""

from __future__ import annotations

import functools
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dann_lib import report
from dann_lib.errors import DannError, OutputError
from dann_lib.evaluation import (
    COLUMNS,
    METRICS,
    as_text,
    evaluate,
    gap_closed,
    oracles,
    read_scores,
    run_names,
    sdr_sir_sar,
    store,
    summarise,
    write_scores,
)

evaluate = functools.partial(evaluate, progress=False, jobs=1)


@dataclass(frozen=True)
class FakeTrack:
    name: str
    seed: int
    silent: int | None = None
    rate: int = report.SONG_RATE
    signals: tuple[str, ...] = report.SIGNALS

    @property
    def waveforms(self) -> np.ndarray:
        stems = np.random.default_rng(self.seed).standard_normal((4, 9000)).astype(np.float32)
        if self.silent is not None:
            stems[self.silent] = 0
        return np.concatenate((stems.sum(axis=0, keepdims=True), stems))

    def read(self, signal: str) -> np.ndarray:
        held = self.waveforms[report.SIGNALS.index(signal)].repeat(report.DOWNSAMPLING)
        return np.stack((held, held), axis=1)


@dataclass
class Counting:
    """Gives noisy sources, and counts how often it is asked."""

    fingerprint: str = "one"
    fails_on: tuple[int, ...] = ()
    asked: list[int] = field(default_factory=list)

    def __call__(self, signals: np.ndarray) -> np.ndarray:
        self.asked.append(signals.shape[1])
        if len(self.asked) in self.fails_on:
            raise RuntimeError("out of luck")
        return signals[1:4] + 0.5 * signals[[4, 1, 2]]


@pytest.fixture
def songs() -> list[FakeTrack]:
    return [FakeTrack(name, seed) for seed, name in enumerate(("b", "a", "AC/DC: *?", "NA"))]


def test_every_score_is_one_row(songs):
    scores = evaluate(songs[:1], {"mixture": oracles()["mixture"]})
    assert tuple(scores.columns) == COLUMNS
    assert scores.groupby("metric", sort=False).size().to_dict() == dict.fromkeys(
        (*METRICS, "windows_v4", "excluded_v4"), 3
    )
    assert scores["rate_hz"].unique() == [8820]
    direct = sdr_sir_sar(oracles()["mixture"](songs[0].waveforms), songs[0].waveforms[1:])
    np.testing.assert_allclose(scores[scores["metric"] == "sdr"]["value"], direct.sdr)


def test_order_is_that_of_separators_and_songs(songs):
    scores = evaluate(songs, {"z": Counting(), "a": Counting()}, v4=False)
    assert list(scores["run"].unique()) == ["z", "a"]
    assert list(scores["song"].unique()) == ["b", "a", "AC/DC: *?", "NA"]


def test_jobs_change_nothing(songs):
    separators = {name: oracles()[name] for name in ("mixture", "ideal_ratio_mask")}
    pd.testing.assert_frame_equal(
        evaluate(songs, separators, v4=False), evaluate(songs, separators, v4=False, jobs=2), rtol=1e-5
    )


def test_a_network_is_a_separator(songs):
    from dann_lib.config import TrainingConfig
    from dann_lib.network import DANN
    from dann_lib.separation import Separator

    network = Separator.of(DANN(), TrainingConfig(), device="cpu")
    scores = evaluate(songs[:1], {"dann": network}, v4=False)
    assert scores["value"].notna().all()


def test_what_is_stored_is_not_computed_again(songs, tmp_path):
    separator, tables = Counting(), []
    for part, n_asked in ((songs[:3], 3), (songs, 4), (songs, 4)):
        tables.append(evaluate(part, {"run": separator}, v4=False, out=tmp_path))
        assert len(separator.asked) == n_asked
    assert len(tables[1]) == 4 * 9
    pd.testing.assert_frame_equal(tables[1], tables[2])


def test_another_separator_song_or_rate_is_computed_anew(songs, tmp_path):
    evaluate(songs[:1], {"run": Counting()}, v4=False, out=tmp_path)
    other = Counting(fingerprint="two")
    evaluate(songs[:1], {"run": other}, v4=False, out=tmp_path)
    evaluate([FakeTrack("b", seed=99)], {"run": other}, v4=False, out=tmp_path)
    assert len(other.asked) == 2
    assert len(list(tmp_path.rglob("*.csv"))) == 1, "stale files stay behind"
    evaluate([FakeTrack("b", seed=99)], {"run": other}, v4=False, out=tmp_path, rate_hz=44_100)
    assert len(other.asked) == 3
    assert len(list(tmp_path.rglob("*.csv"))) == 2


def test_scores_with_v4_serve_a_run_without(songs, tmp_path):
    separator = Counting()
    both = evaluate(songs[:1], {"run": separator}, out=tmp_path)
    fewer = evaluate(songs[:1], {"run": separator}, out=tmp_path, v4=False)
    assert len(separator.asked) == 1
    assert set(fewer["metric"]) == {"sdr", "sir", "sar"}
    assert fewer["value"].tolist() == both[both["metric"].isin(["sdr", "sir", "sar"])]["value"].tolist()


def test_a_truncated_file_is_computed_again(songs, tmp_path):
    separator = Counting()
    evaluate(songs[:1], {"run": separator}, v4=False, out=tmp_path)
    [stored] = tmp_path.rglob("*.csv")
    for damage in (stored.read_bytes()[:60], stored.read_bytes()[:-4], b"", b"\xff\x00\x01"):
        stored.write_bytes(damage)
        scores = evaluate(songs[:1], {"run": separator}, v4=False, out=tmp_path)
        assert len(scores) == 9
    assert len(separator.asked) == 5
    stored.unlink()
    os.mkfifo(stored)
    assert len(evaluate(songs[:1], {"run": separator}, v4=False, out=tmp_path)) == 9


def test_any_name_of_song_makes_a_file_of_its_own(tmp_path):
    names = ["a/b", "a:b", "a_b", "..", "", "CON?", "歌", "é" * 300, "x" * 300, "x" * 301, "s-8820"]
    safe = {store.safe_name(name) for name in names}
    assert len(safe) == len(names)
    for name in safe:
        (tmp_path / f"{name}-44100-{'0' * 16}-v4.csv").write_text("")
    assert len(list(tmp_path.iterdir())) == len(names)


def test_one_song_that_fails_is_named_and_loses_no_other(songs):
    with pytest.warns(UserWarning, match=r"1 of 4 songs could not be scored \(a: run: RuntimeError: out of luck\)"):
        scores = evaluate(songs, {"run": Counting(fails_on=(2,))}, v4=False)
    assert list(scores["song"].unique()) == ["b", "AC/DC: *?", "NA"]
    assert scores.attrs["failed"] == {"a": "run: RuntimeError: out of luck"}


def test_separators_before_the_failing_one_keep_their_scores_unless_all_songs_fail(songs):
    with pytest.warns(UserWarning, match="broken"):
        scores = evaluate(songs[:2], {"good": Counting(), "broken": Counting(fails_on=(1,))}, v4=False)
    assert scores.groupby("run").size().to_dict() == {"good": 18, "broken": 9}
    with pytest.raises(DannError, match=r"none of the 2 songs .* out of luck"):
        evaluate(songs[:2], {"run": Counting(fails_on=(1, 2))}, v4=False)


@pytest.mark.parametrize(("separator", "message"), [
    (lambda signals: signals, r"shape \(5, 9000\); \(3, 9000\) was expected"),
    (lambda signals: np.full((3, 9000), np.nan), "estimates hold NaN"),
])
def test_estimates_that_are_none_are_refused(songs, separator, message):
    with pytest.raises(DannError, match=message):
        evaluate(songs[:1], {"run": separator}, v4=False)


def test_what_cannot_be_written_or_recognised_is_not_stored(songs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another folder"):
        evaluate(songs, {"run": Counting()}, v4=False, out=tmp_path / "file")
    with pytest.raises(ValueError, match="no fingerprint"):
        evaluate(songs, {"run": lambda signals: signals[1:4]}, v4=False, out=tmp_path)


def test_the_exponent_is_part_of_an_oracles_fingerprint():
    prints = {store.fingerprint(separator, name) for name, separator in oracles(44_100).items()}
    assert len(prints) == len(oracles(44_100))


def test_songs_of_the_same_name_and_no_songs_are_refused(songs):
    with pytest.raises(ValueError, match="several songs are called b"):
        evaluate([songs[0], songs[0]], {"run": Counting()}, v4=False)
    with pytest.raises(DannError, match="0 songs"):
        evaluate([], {"run": Counting()})


def test_at_the_rate_of_the_songs_even_true_sources_are_not_perfect(songs):
    scores = evaluate(songs[:1], oracles(44_100), v4=False, rate_hz=44_100)
    ceiling = scores[(scores["run"] == "rate_ceiling") & (scores["metric"] == "sdr")]["value"]
    ideal = scores[(scores["run"] == "ideal_part_masks") & (scores["metric"] == "sdr")]["value"]
    assert np.isfinite(ceiling).all()
    assert (ceiling.to_numpy() > ideal.to_numpy()).all()


def test_silent_sources_and_windows_are_counted():
    tracks = [FakeTrack("a", 1), FakeTrack("b", 2, silent=0), FakeTrack("c", 3)]
    scores = evaluate(tracks, {"mixture": oracles()["mixture"]})
    table = summarise(scores, n_resamples=50).set_index(["metric", "source"])
    assert table.loc[("sdr", "vocals"), ["n_songs", "n_excluded"]].tolist() == [2, 1]
    assert table.loc[("sdr", "drums"), ["n_songs", "n_excluded"]].tolist() == [3, 0]
    assert table.loc[("sdr_v4", "vocals"), ["n_windows", "n_windows_excluded"]].tolist() == [3, 1]
    assert table.loc[("sdr_v4", "drums"), ["n_windows", "n_windows_excluded"]].tolist() == [3, 0]


def table_of(values: dict[str, list[float]], metric: str = "sdr") -> pd.DataFrame:
    """Scores of one source: run → one value per song."""
    return pd.DataFrame(
        [(run, f"song {index}", "vocals", 8820, metric, value)
         for run, column in values.items() for index, value in enumerate(column)],
        columns=list(COLUMNS),
    )


def test_the_interval_of_a_median_covers_the_truth_19_times_of_20():
    random = np.random.default_rng(6)
    tables = table_of({str(trial): random.standard_normal(50).tolist() for trial in range(200)})
    summary = summarise(tables, n_resamples=500)
    covered = ((summary["low"] <= 0) & (summary["high"] >= 0)).mean()
    assert 0.90 <= covered <= 0.99


def test_the_interval_is_that_of_the_drawn_medians():
    values = np.random.default_rng(7).normal(3, 2, 31)
    row = summarise(table_of({"run": values.tolist()}), seed=3).iloc[0]
    drawn = np.random.default_rng(8).choice(values, (20_000, 31))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    assert row["median"] == pytest.approx(np.median(values))
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.1)
    again = summarise(table_of({"run": values.tolist()}), seed=3).iloc[0]
    assert row.equals(again)


def test_infinite_and_missing_scores_leave_the_summary_standing():
    table = table_of({"best": [np.inf] * 5, "worst": [-np.inf, -np.inf, 1.0, 2.0, 3.0], "none": [np.nan] * 3,
                      "one": [4.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = summarise(table, n_resamples=200).set_index("run")
    assert summary.loc["best", ["median", "low", "high"]].tolist() == [np.inf] * 3
    assert summary.loc["worst", "median"] == 1.0 and summary.loc["worst", "low"] == -np.inf
    assert summary.loc["none", ["n_songs", "n_excluded"]].tolist() == [0, 3]
    assert summary.loc["one", "median"] == 4.0 and np.isnan(summary.loc["one", "low"])
    assert "4.0" in as_text(summary.reset_index()) and "nan, nan" not in as_text(summary.reset_index())


def test_the_gap_closed_is_measured_between_mixture_and_ratio_mask():
    values = {"mixture": [-4.6] * 3, "ideal_ratio_mask": [9.5] * 3, "dann": [3.3] * 3}
    closed = gap_closed(table_of(values), "dann", n_resamples=50).iloc[0]
    assert closed["gap_closed"] == pytest.approx(0.56, abs=0.005)
    assert gap_closed(table_of(values), "mixture", n_resamples=50)["gap_closed"].tolist() == [0.0]


def test_the_gap_is_taken_over_songs_that_all_runs_have_and_needs_both_ends():
    values = {"mixture": [0.0, 0.0, 0.0], "ideal_ratio_mask": [10.0, 10.0, np.nan], "dann": [5.0, 5.0, 100.0]}
    closed = gap_closed(table_of(values), "dann", n_resamples=50).iloc[0]
    assert (closed["gap_closed"], closed["n_songs"]) == (0.5, 2)
    with pytest.raises(ValueError, match="no sdr of ideal_ratio_mask"):
        gap_closed(table_of({"mixture": [1.0], "dann": [2.0]}), "dann")


def test_a_table_comes_back_bit_for_bit(tmp_path):
    table = table_of({"a, b\n\"c\"": [0.1 + 0.2, np.inf, -np.inf, np.nan, 1e-300]})
    table["song"] = ["NA", "None", "", "nan", "é"]
    write_scores(table, tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.csv"), table, check_exact=True)


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "scores.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path / "scores.csv", tmp_path / "missing.csv"):
        with pytest.raises(DannError, match=path.name):
            read_scores(path)


@pytest.mark.parametrize(("files", "names"), [
    (["a/run/weights.safetensors", "b/run/weights.safetensors"], ["a/run", "b/run"]),
    (["x/mixture.safetensors"], ["x/mixture"]), (["a/dann.safetensors", "./a/dann.safetensors"], ["dann"]),
    (["mine/weights.safetensors", "b/dann.safetensors"], ["mine", "dann"]),
])
def test_every_network_has_a_name_of_its_own(files, names):
    assert list(run_names(map(Path, files), oracles())) == names
