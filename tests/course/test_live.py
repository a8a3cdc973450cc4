"""Controls call the function with what was chosen, say in a line what it raises, and leave their twin on the page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dann_lib import figures
from dann_lib.course import live


@pytest.fixture
def displayed(monkeypatch) -> list[Any]:
    """What a cell shows."""
    things: list[Any] = []
    monkeypatch.setattr(live, "display", lambda *new: things.extend(new))
    return things


def bars(level: float = 0.3, n_bars: int = 2) -> tuple[figures.Drawing, str]:
    return figures.bars({str(n): level for n in range(n_bars)}, "level"), f"{n_bars} bars & {level}"


def test_a_move_is_answered_by_the_function_and_the_page_keeps_its_first_answer(displayed):
    control = live.Control(bars, level=10.0 ** np.arange(-2, 1), n_bars=range(1, 5))
    control._ipython_display_()
    twin, widget = displayed
    assert widget.choices == {"level": ["0.01", "0.1", "1"], "n bars": ["1", "2", "3", "4"]}
    assert widget.answer["to"] == [1, 1], "the values nearest to the defaults"
    assert "<img" in widget.answer["html"] and widget.answer["html"] in twin._repr_html_()
    assert "level 0.1, n bars 2" in twin._repr_html_()
    widget._handle_custom_msg({"kind": "move", "to": [2, 3]}, [])
    assert widget.answer["to"] == [2, 3] and "4 bars &amp; 1.0" in widget.answer["html"]


def broken(level: float = 0.3) -> str:
    return [][int(level)]


def blank(level: float = 0.3) -> str:
    raise NotImplementedError("write this part")


@pytest.mark.parametrize(("function", "words"), [
    (broken, "Your code stops with IndexError: list index out of range"), (blank, "Nothing is written yet")])
def test_what_a_readers_function_raises_is_one_line(function, words):
    answer = live.Control(function, level=[0.3, 1]).answer([1])
    assert words in answer and answer.count("<p") == 1 and "Traceback" not in answer


@pytest.mark.parametrize("stopped_in", [None, 2])
def test_what_is_watched_runs_to_its_end_or_to_the_step_at_which_it_was_stopped(displayed, stopped_in):
    def epochs() -> Iterator[int]:
        for epoch in range(1, 5):
            if epoch == stopped_in:
                displayed[0]._handle_custom_msg({"kind": "stop"}, [])
            yield epoch

    async def cell() -> int:
        return await live.watch(epochs(), lambda epoch: f"epoch {epoch}")

    last = asyncio.run(cell())
    widget, twin = displayed
    assert last == (stopped_in or 4) and f"epoch {last}<" in twin._repr_html_()
    assert f"epoch {last}<" in widget.answer["html"] and not widget.working
