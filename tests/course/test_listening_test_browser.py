"""The listening test in a browser: blind until the end, by keyboard alone, and kept in a file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from browser import module_url

from dann_lib import report
from dann_lib.course.listening_test import ANCHOR, MIXTURE, REFERENCE, item, listening_test, read_ratings

N_TRIALS = 4


@pytest.fixture
def frame(open_page):
    """Two excerpts of two seconds, three versions of each besides the reference."""
    generator = np.random.default_rng(0)
    sources = 0.1 * generator.standard_normal((4, 2 * report.SAMPLE_RATE)).astype(np.float32)
    items = [item(name, sources.sum(axis=0), sources, index, {"my network": sources[index] + 0.2 * sources[3]})
             for index, name in enumerate(("vocals of noise", "drums of noise"))]
    page = open_page(listening_test(items, n_trials=N_TRIALS)._repr_html_())
    return page.frame_locator("iframe")


def words(frame) -> str:
    return frame.locator("#root").inner_text()


def status(frame) -> str:
    return frame.get_by_role("status").first.inner_text()


def play_all(frame, keys: str) -> None:
    """Listen with keys: the button of each is pressed while it sounds, and only that one."""
    for key in keys:
        frame.locator("h3").click()
        frame.locator("#root").press(key)
        pressed = frame.locator('[aria-pressed="true"]')
        pressed.wait_for()
        assert pressed.get_attribute("aria-keyshortcuts") == key and pressed.inner_text().startswith("Play ")


def compare(frame) -> None:
    """Go through the A/B/X comparisons by keys alone."""
    frame.get_by_role("button", name="Begin").press("Enter")
    for trial in range(N_TRIALS):
        assert status(frame).startswith(f"Comparison {trial + 1} of {N_TRIALS}")
        if trial == 0:
            play_all(frame, "abx")
        frame.locator("#root").press("1")


def rate(frame, ratings: list[int]) -> list[list[str]]:
    """Rate both excerpts; what the page said on the way."""
    said = []
    for last in (False, True):
        sliders = frame.get_by_role("slider")
        assert sliders.count() == len(ratings)
        done = frame.get_by_role("button", name="Finish" if last else "Next excerpt")
        assert done.is_disabled(), "all have to be rated first"
        for place, rating in enumerate(ratings):
            sliders.nth(place).fill(str(rating))
        said.append(words(frame))
        done.click()
    return said


def test_the_whole_test_is_blind_and_the_result_is_a_file(frame, tmp_path):
    compare(frame)
    told = status(frame)
    right = int(told.split()[0])
    assert told.startswith(f"{right} of {N_TRIALS} right") and 0 <= right <= N_TRIALS
    frame.get_by_role("button", name="Go on to the ratings").click()
    play_all(frame, "r1234")
    said = rate(frame, [10, 40, 70, 90])
    names = ("my network", REFERENCE, ANCHOR, MIXTURE)
    for text in said:
        assert not any(name in text for name in names), "nothing tells which is which"
    assert all(name in words(frame) for name in names)
    with frame.owner.page.expect_download() as download:
        frame.get_by_role("button", name="Save my results").click()
    path = tmp_path / "results.json"
    download.value.save_as(path)
    table = read_ratings(path)
    assert len(table) == 8 and set(table["rating"]) == {10, 40, 70, 90}
    assert json.loads(path.read_text())["abx"]["right"] == right
    mine = table[table["version"] == "my network"]["sdr"]
    assert mine.between(13, 15).all(), "20 log10 5 is 14 dB"


def test_the_order_differs_from_one_test_to_the_next(frame):
    orders = set()
    for _ in range(6):
        frame.get_by_role("button", name="Go to the ratings").click()
        rate(frame, [10, 40, 70, 90])
        rows = frame.get_by_role("row").all_inner_texts()[1:]
        orders.add(tuple(rows))
        frame.owner.page.reload()
    assert len(orders) > 1


def test_the_odds_of_guessing_are_those_of_a_coin(chromium, open_page):
    from scipy.stats import binom

    page = open_page("")
    found = page.evaluate(f"""async () => {{
        const {{ atLeast }} = (await import("{module_url('listening_test.js')}")).default["listening_test.js"];
        return [atLeast(0, 8), atLeast(7, 8), atLeast(8, 8), atLeast(12, 16)];
    }}""")
    assert found == pytest.approx([1, binom.sf(6, 8, 0.5), binom.sf(7, 8, 0.5), binom.sf(11, 16, 0.5)])
