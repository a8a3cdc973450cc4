"""Lesson 5: its own functions agree with the library and with PyTorch, and its self-checks explain typical mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
import torch
from lesson_code import definitions, drive

from dann_lib import report
from dann_lib.batches import Batch, Chunks, pretreat
from dann_lib.config import TrainingConfig
from dann_lib.corpus import open_corpus
from dann_lib.course.exercises import learning
from dann_lib.network import DANN
from dann_lib.training import _is_over, l1_loss, train

LESSON = "05_training_overfitting"
early_stop = definitions(f"solutions/{LESSON}", "early_stop")["early_stop"]


@pytest.fixture(scope="module")
def batch(synthetic_root) -> Batch:
    config = TrainingConfig(n_chunk_frames=22, batch_size=2)
    return next(Chunks(open_corpus("synthetic").select("train"), 22).at_random(config, epoch=0))


def test_the_share_of_the_largest_is_that_of_a_sorted_list():
    held = definitions(LESSON, "held_by_largest")["held_by_largest"]
    assert held(torch.tensor([[1.0, 2.0, 3.0, 4.0, 0, 0, 0, 0, 0, 10.0]]), 0.2) == pytest.approx(14 / 20)
    assert held(torch.ones(1000), 0.01) == pytest.approx(0.01)


def test_the_losses_of_one_mask_are_lowest_at_median_and_mean():
    generator = np.random.default_rng(0)
    mixtures = torch.from_numpy(generator.standard_normal((3, 2, 20, 10)))
    ratios = generator.exponential(0.3, (3, 3, 2, 20, 10)) * (generator.random((3, 3, 2, 20, 10)) > 0.4)
    sources = torch.from_numpy(ratios) * mixtures[:, None]
    masks = np.linspace(-0.1, 0.9, 201)
    loss = definitions(LESSON, "loss_by_mask", mixtures=mixtures, sources=sources, masks=masks)["loss_by_mask"]
    for source in range(3):
        image, wanted = mixtures.numpy().ravel(), sources[:, source].numpy().ravel()
        order = np.argsort(wanted / image)
        weight = np.cumsum(np.abs(image[order]))
        median = (wanted / image)[order][np.searchsorted(weight, weight[-1] / 2)]
        assert masks[loss(source, 1).argmin()] == pytest.approx(median, abs=0.006)
        assert masks[loss(source, 2).argmin()] == pytest.approx(image @ wanted / (image @ image), abs=0.003)
        assert loss(source, 1)[np.abs(masks).argmin()] == pytest.approx(1)


def test_a_step_of_the_lesson_is_one_of_sgd(batch):
    given = definitions(LESSON, "SMALL", "loss_and_gradient", "loss_after_step", batch=batch)
    start, gradient, network = given["loss_and_gradient"](report.GAIN)
    found = given["loss_after_step"](report.LEARNING_RATE, gradient, network)
    torch.optim.SGD(network.parameters(), lr=report.LEARNING_RATE).step()
    mixtures, sources = pretreat(batch.waveforms, report.GAIN)
    assert found == pytest.approx(l1_loss(network(mixtures), mixtures, sources).item())
    assert found < start


def test_loss_and_gradient_are_proportional_to_the_gain(batch):
    found = definitions(LESSON, "SMALL", "loss_and_gradient", batch=batch)["loss_and_gradient"]
    (loss, gradient, _), (louder, steeper, _) = found(30.0), found(300.0)
    assert louder == pytest.approx(10 * loss, rel=1e-3)
    norm, steep = (torch.cat([each.flatten() for each in slopes]).norm() for slopes in (gradient, steeper))
    assert float(steep) == pytest.approx(10 * float(norm), rel=1e-2)


def test_the_loop_of_the_lesson_learns_as_the_library_does(tmp_path, synthetic_root):
    """One epoch, and the mean of the losses before each update."""
    corpus = open_corpus("synthetic")
    small = definitions(LESSON, "SMALL")["SMALL"]
    config = TrainingConfig(network_options=small, n_chunk_frames=22, batch_size=12, epochs=1, held_out="valid")
    batches = list(Chunks(corpus.select("train"), 22).at_random(config, epoch=0))
    given = definitions(LESSON, "SMALL", "sgd", "learn", batches=batches)
    course = np.array(given["learn"](report.GAIN, given["sgd"]))
    silence = np.array([pretreat(each.waveforms, report.GAIN)[1].abs().mean().item() for each in batches])
    run = train(corpus, config, tmp_path, device="cpu", precision="float32", progress=False)
    assert run.history["train_loss"][0] == pytest.approx(float(np.mean(course * silence)), rel=1e-4)


def step(w: float, v: float, g: float, rate: float, momentum: float) -> tuple[float, float]:
    v = momentum * v + g
    return w - rate * v, v


def test_a_step_with_momentum_is_that_of_torch():
    weight = torch.nn.Parameter(torch.tensor(1.0))
    optimizer, ours, velocity = torch.optim.SGD([weight], lr=0.1, momentum=0.9), 1.0, 0.0
    for _ in range(5):
        ours, velocity = step(ours, velocity, ours, 0.1, 0.9)
        optimizer.zero_grad()
        (weight**2 / 2).backward()
        optimizer.step()
        assert weight.item() == pytest.approx(ours, rel=1e-5)
    assert learning.check_momentum_step(step).state == "solved"


def masks(mixture: np.ndarray, source: np.ndarray) -> tuple[float, float]:
    """By trying values."""
    return tried(mixture.tobytes(), source.tobytes())


@cache
def tried(mixture: bytes, source: bytes) -> tuple[float, float]:
    """Many tests ask for the masks of the same signals."""
    image, wanted, grid = np.frombuffer(mixture), np.frombuffer(source), np.linspace(-1, 3, 8001)
    losses = [[np.abs(g * image - wanted).sum(), np.square(g * image - wanted).sum()] for g in grid]
    return tuple(grid[np.argmin(losses, axis=0)])


def weighted(mixture: np.ndarray, source: np.ndarray) -> float:
    return float(np.average(source / mixture, weights=np.abs(mixture)))


def test_a_fine_grid_of_masks_is_right_as_well():
    assert learning.check_best_masks(masks).state == "solved"


@pytest.mark.parametrize("patience", [1, 2, 3, 4, 20])
def test_the_rule_of_early_stopping_is_that_of_the_library(patience: int):
    config, history = TrainingConfig(patience=patience), []
    while len(history) < len(learning.LOSSES) and not _is_over(history, config):
        history.append({"test_loss": learning.LOSSES[len(history)]})
    seen = [row["test_loss"] for row in history]
    found = early_stop(learning.LOSSES, patience)
    assert found == learning.STOPS.get(patience, found) == (seen.index(min(seen)) + 1, len(seen))


def since_the_last(losses: Sequence[float], patience: int) -> tuple[int, int]:
    """Counts rises from one epoch to the next, in place of epochs without a lower loss than the lowest."""
    rises, kept = 0, 1
    for epoch in range(1, len(losses)):
        rises = rises + 1 if losses[epoch] > losses[epoch - 1] else 0
        kept = epoch + 1 if losses[epoch] < losses[kept - 1] else kept
        if rises == patience:
            return kept, epoch + 1
    return kept, len(losses)


def remixed(stems: np.ndarray, random: np.random.Generator, levels: Sequence[float] = (-6, 6), base: float = 20,
            together: bool = False, exchange: bool = True) -> np.ndarray:
    orders = [random.permutation(len(stems)) for _ in range(stems.shape[1])]
    orders = orders if exchange else [np.arange(len(stems))] * len(orders)
    new = np.stack([stems[orders[0 if together else row], row] for row in range(stems.shape[1])], axis=1)
    return 10 ** (random.uniform(*levels, (len(stems), stems.shape[1], 1)) / base) * new


def with_sum(stems: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return stems.sum(axis=1), stems


def in_place(stems: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    stems[:] = remixed(stems, random)
    return with_sum(stems)


def test_one_level_for_all_stems_of_a_chunk_is_explained():
    def by_chunk(stems: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return with_sum(remixed(stems, random, levels=(0, 0)) * 10 ** (random.uniform(-6, 6, (len(stems), 1, 1)) / 20))

    assert "one of the two axes" in learning.check_remix(by_chunk).text
    assert learning.check_remix(lambda stems, random: with_sum(-remixed(stems, random))).state == "solved"


def pick(loss: Callable[[float], float], rates: np.ndarray) -> float:
    return float(rates[np.nanargmin([loss(rate) for rate in rates])])


def test_a_rate_may_be_searched_in_other_ways():
    """Random rates, drawn on a logarithmic scale, are as good an answer as a grid."""
    def random_search(loss: Callable[[float], float], low: float, high: float, tries: int) -> float:
        rates = 10 ** np.random.default_rng(3).uniform(np.log10(low), np.log10(high), tries)
        return pick(loss, rates)

    assert learning.check_choose_rate(random_search).state == "solved"


def test_the_small_network_of_the_exercises_is_that_of_the_lesson():
    small = definitions(LESSON, "SMALL")["SMALL"]
    torch.manual_seed(0)
    one = DANN(**small)
    torch.manual_seed(0)
    other = DANN(channels=(4, 8, 16, 16), bottleneck=12)
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), other.parameters(), strict=True))


MISTAKES = {
    learning.check_momentum_step: [
        (lambda w, v, g, r, m: w - r * (m * v + g), "two numbers"),
        (lambda w, v, g, r, m: (w + r * (m * v + g), m * v + g), "uphill"),
        (lambda w, v, g, r, m: (w - (m * v + g), m * v + g), "plain gradient descent"),
        (lambda w, v, g, r, m: (w - r * (m * v + g if m == 0 else v), m * v + g), "old velocity"),
        (lambda w, v, g, r, m: (w - r * g, m * v + g), "gradient alone"),
        (lambda w, v, g, r, m: (w - r * (m * v + (1 - m) * g), m * v + (1 - m) * g), "running mean"),
        (lambda w, v, g, r, m: (w - m * v - r * g, m * v + r * g), "inside your velocity"),
        (lambda w, v, g, r, m: (w - r * (g + m * (m * v + g)), m * v + g), "Nesterov"),
        (lambda w, v, g, r, m: (w - r * (v + g), v + g), "left of the old velocity"),
    ],
    learning.check_best_masks: [
        (lambda i, n: masks(i, n)[0], "two numbers"),
        (lambda i, n: masks(i, n)[::-1], "wrong way round"),
        (lambda i, n: (np.median(n / i), masks(i, n)[1]), "plain median"),
        (lambda i, n: (weighted(i, n), masks(i, n)[1]), "weighted mean"),
        (lambda i, n: (masks(i, n)[0], (n / i).mean()), "plain mean"),
        (lambda i, n: (masks(i, n)[0], weighted(i, n)), "squares of the mixture"),
        (lambda i, n: (masks(i, n)[0] + 0.5, masks(i, n)[1]), "L1: your mask"),
        (lambda i, n: (masks(i, n)[0], 0.0), "L2: your mask"),
        (lambda i, n: tuple(np.array(masks(i, n)) * (np.nan if (i == 0).any() else 1)), "divides by zero"),
    ],
    learning.check_early_stop: [
        (lambda losses, p: early_stop(losses, p)[0], "two numbers"),
        (lambda losses, p: tuple(np.array(early_stop(losses, p)) - 1), "counted from 1"),
        (lambda losses, p: (3, 5), "nothing stops it"),
        (lambda losses, p: (int(np.argmin(losses)) + 1, early_stop(losses, p)[1]), "nobody has seen it"),
        (lambda losses, p: early_stop(losses, p + 1), "one epoch too long"),
        (lambda losses, p: 2 * early_stop(losses, p)[1:], "Keep the best one"),
        (lambda losses, p: early_stop(losses, p - 1), "too soon"),
        (since_the_last, "lowest so far"),
        (lambda losses, p: (3, 5) if len(losses) == 5 else early_stop(losses, p), "no better one"),
    ],
    learning.check_remix: [
        (lambda s, r: with_sum(remixed(s, r))[::-1], "mixture, then stems"),
        (lambda s, r: (s.sum(axis=1), remixed(s, r)), "old stems"),
        (lambda s, r: (2 * remixed(s, r).sum(axis=1), remixed(s, r)), "not the sum"),
        (in_place, "You change the stems"),
        (lambda s, r: with_sum(remixed(s, np.random.default_rng())), "two results"),
        (lambda s, r: with_sum(remixed(s, np.random.default_rng(0))), "same remix"),
        (lambda s, r: with_sum(remixed(s, r) + s), "none of the old ones"),
        (lambda s, r: with_sum(remixed(s, r)[:, ::-1]), "drums have to stay drums"),
        (lambda s, r: with_sum(remixed(s, r, exchange=False)), "another chunk"),
        (lambda s, r: with_sum(remixed(s, r, together=True)), "order of its own"),
        (lambda s, r: with_sum(remixed(s, r, levels=(0, 0))), "one level"),
        (lambda s, r: with_sum(remixed(s, r, base=10)), "10^(dB/20)"),
        (lambda s, r: with_sum(remixed(s, r, levels=(0, 6))), "both ways"),
    ],
    learning.check_choose_rate: [
        (lambda f, low, high, n: 1e-3, "never call"),
        (lambda f, low, high, n: pick(f, np.geomspace(low, high, 30)), "allowed"),
        (lambda f, low, high, n: pick(f, np.array([low, high])), "2 rates only"),
        (lambda f, low, high, n: pick(f, np.geomspace(1e-9, 9, n)), "asked for"),
        (lambda f, low, high, n: min(f(x) for x in np.geomspace(low, high, n)) + 7, "never tried"),
        (lambda f, low, high, n: pick(f, np.linspace(low, high, n)), "ratio"),
        (lambda f, low, high, n: max(np.geomspace(low, high, n), key=f), "highest loss"),
        (lambda f, low, high, n: sorted(np.geomspace(low, high, n), key=f)[1], "is better"),
        (lambda f, low, high, n: min(np.geomspace(low, high, n)[::-1], key=f), "NaN"),
    ],
}


@pytest.mark.parametrize(("check", "answer", "words"), [
    (check, *case) for check, cases in MISTAKES.items() for case in cases])
def test_mistakes_are_explained(check: Callable, answer: Callable, words: str):
    outcome = check(answer)
    assert outcome.state == "wrong" and words in outcome.text


def test_equal_products_of_rate_and_gain_are_the_same_step(batch):
    names = ("SMALL", "loss_and_gradient", "loss_after_step", "norm", "rates", "valley", "one_step", "one_step_sliders")
    sliders = definitions(LESSON, *names, batch=batch, start=222, along=np.full(10, 222))["one_step_sliders"]
    assert len(drive(sliders)) == 5
    rate, gain = (list(sliders.choices[name]).index(value) for name, value in (("learning_rate", 1e-4), ("gain", 300)))
    words = {re.search('alt="([^"]*)"', sliders.answer([rate + step, gain - step]))[1] for step in (-1, 0, 1)}
    assert len(words) == 1 and "0.03" in words.pop()
