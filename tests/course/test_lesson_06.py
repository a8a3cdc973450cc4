"""Lesson 6: its own functions agree with the library, and its self-checks explain typical mistakes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from lesson_code import definitions, drive

from dann_lib.course.exercises import scoring
from dann_lib.evaluation import decompose, interval, sdr_sir_sar


def project(x: np.ndarray, s: np.ndarray) -> np.ndarray:
    return x @ s / (s @ s) * s


def parts(estimate: np.ndarray, sources: np.ndarray, target: int) -> tuple[np.ndarray, ...]:
    return tuple(decompose(estimate, sources, target))


def db(above: np.ndarray, below: np.ndarray) -> float:
    return float(10 * np.log10(above @ above / (below @ below)))


def three(estimate: np.ndarray, sources: np.ndarray, target: int) -> tuple[float, float, float]:
    wanted, interference, artefacts = parts(estimate, sources, target)
    return db(wanted, interference + artefacts), db(wanted, interference), db(wanted + interference, artefacts)


def percentiles(values: np.ndarray, ends: list[float] = [2.5, 97.5]) -> tuple[float, float]:  # noqa: B006
    return tuple(np.percentile(values, ends))


def median_interval(values: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    return percentiles(np.median(random.choice(values, (2000, len(values))), axis=1))


def test_the_projection_of_the_lesson_is_the_target_of_the_library():
    lesson = definitions("06_evaluation", "project")["project"]
    sources, estimate = np.random.default_rng(0).standard_normal((4, 500)), np.random.default_rng(1).normal(size=500)
    for target, source in enumerate(sources):
        assert np.allclose(lesson(estimate, source), decompose(estimate, sources, target).target)


def test_the_decibels_of_the_lesson_give_the_ratios_of_the_library():
    decibel = definitions("06_evaluation", "decibel")["decibel"]
    sources, estimate = np.random.default_rng(0).standard_normal((4, 500)), np.random.default_rng(1).normal(size=500)
    wanted, interference, artefacts = parts(estimate, sources, 2)
    expected = [float(ratio[0]) for ratio in sdr_sir_sar(estimate[None], sources, targets=[2])]
    found = [decibel(wanted, interference + artefacts), decibel(wanted, interference),
             decibel(wanted + interference, artefacts)]
    assert found == pytest.approx(expected, abs=1e-9)


def test_two_ratios_decide_the_third():
    sources, estimate = np.random.default_rng(0).standard_normal((4, 500)), np.random.default_rng(1).normal(size=500)
    sdr, sir, sar = (10 ** (-float(ratio[0]) / 10) for ratio in sdr_sir_sar(estimate[None], sources, targets=[0]))
    assert sdr == pytest.approx(sir + sar * (1 + sir))


def test_the_bootstrap_of_the_lesson_is_that_of_the_library():
    bootstrap = definitions("06_evaluation", "bootstrap_medians")["bootstrap_medians"]
    values = np.linspace(-5, 5, 201)
    assert percentiles(bootstrap(values)) == pytest.approx(interval((values,), np.median), abs=0.1)
    assert np.std(bootstrap(values, 804)) == pytest.approx(np.std(bootstrap(values)) / 2, rel=0.1)


def test_a_verdict_needs_an_interval_without_zero():
    verdict = definitions("06_evaluation", "verdict")["verdict"]
    assert verdict((0.5, 0.2, 0.8), 1) is True
    assert verdict((0.5, 0.2, 0.8), -1) is False
    assert verdict((0.5, -0.1, 0.8), 1) is None


def test_the_correlation_of_the_lesson_sees_order_only():
    correlation = definitions("06_evaluation", "correlation")["correlation"]
    x = np.arange(12.0)[:, None]
    assert correlation(x, np.exp(x))[0] == pytest.approx(1)
    assert correlation(x, -(x**3)) == pytest.approx((-1, -1, -1))
    noise = np.random.default_rng(0).standard_normal((12, 1))
    value, low, high = correlation(x, noise)
    assert low < value < high and low < 0 < high


def by_each(estimate: np.ndarray, sources: np.ndarray, target: int) -> tuple[float, float, float]:
    """As if the sources were orthogonal."""
    own = np.array([project(estimate, source) for source in sources])
    others = own.sum(axis=0) - own[target]
    return three(estimate, sources, target)[0], db(own[target], others), db(own.sum(axis=0), estimate - own.sum(axis=0))


def without_interference(estimate: np.ndarray, sources: np.ndarray, target: int) -> tuple[float, float, float]:
    wanted, _, artefacts = parts(estimate, sources, target)
    return *three(estimate, sources, target)[:2], db(wanted, artefacts)


def test_an_interval_needs_no_particular_random_numbers():
    assert all(scoring.check_median_interval(lambda v, r, seed=seed: median_interval(v, np.random.default_rng(seed)))
               .state == "solved" for seed in range(5))


def paired(first: pd.Series, second: pd.Series, random: np.random.Generator) -> tuple[float, float, float]:
    difference = (first - second).dropna().to_numpy()
    return float(np.median(difference)), *median_interval(difference, random)


def drawn_apart(first: pd.Series, second: pd.Series, random: np.random.Generator) -> tuple[float, float, float]:
    draws = [np.median(random.choice(each, (2000, len(each))), axis=1) for each in (first, second)]
    return paired(first, second, random)[0], *percentiles(draws[0] - draws[1])


def test_a_comparison_in_pairs_is_solved():
    assert scoring.check_compare(paired).state == "solved"


def sdr(estimate: np.ndarray, sources: np.ndarray, target: int) -> float:
    return three(estimate, sources, target)[0]


def test_a_metric_that_knows_no_delay_disagrees_with_sdr_on_the_delay():
    def magnitudes_only(estimate: np.ndarray, sources: np.ndarray, target: int) -> float:
        wanted, found = (np.abs(np.fft.rfft(each)) for each in (sources[target], estimate))
        return -float(np.sum((wanted / np.linalg.norm(wanted) - found / np.linalg.norm(found)) ** 2))

    outcome = scoring.check_metric(magnitudes_only)
    assert outcome.state == "solved" and "sample" in outcome.text and "late" in outcome.text
    pairs = scoring.disagreements(magnitudes_only, np.random.default_rng(0).standard_normal((4, 8820)), 1)
    assert all("late" in better for better, _ in pairs) and pairs


MISTAKES = {
    scoring.check_projection: [
        (lambda x, s: x @ s / (s @ s), "one number"),
        (lambda x, s: x @ s / (x @ x) * x, "along the source"),
        (lambda x, s: x @ s / np.linalg.norm(s) * s, "squared length"),
        (lambda x, s: x @ s * s, "how loud"),
        (lambda x, s: x * s, "inner product"),
        (lambda x, s: x @ s / (x @ x) * s, "wrong gain"),
        (lambda x, s: 0.5 * project(x, s), "orthogonal"),
    ],
    scoring.check_three_ratios: [
        (lambda e, s, t: three(e, s, t)[0], "three numbers"),
        (lambda e, s, t: 2 * np.array(three(e, s, t)), "10 log"),
        (lambda e, s, t: -np.array(three(e, s, t)), "signs"),
        (lambda e, s, t: 10 ** (np.array(three(e, s, t)) / 10), "in dB"),
        (lambda e, s, t: (db(s[t], s[t] - e), *three(e, s, t)[1:]), "signal-to-noise"),
        (by_each, "orthogonal sources only"),
        (without_interference, "target plus interference"),
        (lambda e, s, t: three(e, s, 1), "target that it is given"),
        (lambda e, s, t: (three(e, s, t)[0] + 1, 0, 0), "were expected"),
    ],
    scoring.check_median_interval: [
        (lambda v, r: float(np.median(v)), "upper end"),
        (lambda v, r: median_interval(v, r)[::-1], "exchange"),
        (lambda v, r: percentiles([np.median(r.permutation(v)) for _ in range(20)]), "with replacement"),
        (lambda v, r: percentiles(v), "where 95 % of the songs lie"),
        (lambda v, r: percentiles(v, [25, 75]), "box plot"),
        (lambda v, r: percentiles(np.median(r.choice(v, (4000, len(v))), axis=1), [5, 95]), "10 %"),
        (lambda v, r: percentiles(r.choice(v, (4000, len(v))).mean(axis=1)), "of the mean"),
        (lambda v, r: percentiles(np.median(r.choice(v, (4000, 50)), axis=1)), "too few songs"),
        (lambda v, r: median_interval(v, np.random.default_rng()), "two results"),
        (lambda v, r: (-50.0, 50.0), "were expected"),
    ],
    scoring.check_compare: [
        (lambda a, b, r: paired(a, b, r)[0], "both ends"),
        (lambda a, b, r: ((a - b).to_numpy().mean(), 0, 1), "NaN"),
        (lambda a, b, r: paired(b, a, r), "sign"),
        (lambda a, b, r: (a.median() - b.median(), 0, 1), "difference of the medians"),
        (lambda a, b, r: (np.median(a.to_numpy() - b.to_numpy()), 0, 1), "by position"),
        (lambda a, b, r: ((a - b).mean(), 0, 1), "mean of the differences"),
        (drawn_apart, "different songs"),
    ],
    scoring.check_metric: [
        (lambda e, s, t: e, "one number"),
        (lambda e, s, t: float("nan"), "NaN"),
        (lambda e, s, t: 1.0, "tell these two apart"),
        (lambda e, s, t: -sdr(e, s, t), "Turn it round"),
        (sdr, "same order as SDR"),
    ],
}


@pytest.mark.parametrize(("check", "answer", "words"), [
    (check, *case) for check, cases in MISTAKES.items() for case in cases])
def test_mistakes_are_explained(check: Callable, answer: Callable, words: str):
    outcome = check(answer)
    assert outcome.state == "wrong" and words in outcome.text


def test_each_slider_moves_the_parts_it_makes():
    sources = dict(zip(("vocals", "drums", "bass"), np.random.default_rng(1).normal(size=(3, 9000)), strict=True))
    sources["bass"] += 0.2 * sources["drums"]
    truth, everything = sources["drums"], np.stack(list(sources.values()))
    names = ("names", "decibel", "project", "shadow", "hiss", "bars_and_ratios", "made_up", "steps", "made_up_sliders")
    given = {"sources": sources, "truth": truth, "S": everything, "G": everything @ everything.T,
             "excerpt": slice(0, 9000)}
    sliders = definitions("06_evaluation", *names, **given)["made_up_sliders"]
    shown = drive(sliders)
    assert "SAR endless" in shown[3, 3, 0] and "SIR endless" not in shown[3, 3, 0]
    assert "SDR endless" in shown[3, 0, 0] and "endless" not in shown[3, 3, 3]
    for theirs, same in ((lambda x, s: 0.5 * project(x, s), False), (project, True), (blank, True)):
        theirs = definitions("06_evaluation", *names, **given, shadow_of=theirs)["made_up_sliders"]
        assert (theirs.answer(theirs.start) == sliders.answer(sliders.start)) is same


def blank(x: np.ndarray, s: np.ndarray) -> np.ndarray:
    raise NotImplementedError
