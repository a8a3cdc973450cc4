"""Controls that run the Python of a lesson: sliders whose values a function answers, and a run that is seen to learn.

Where no kernel runs, in a stored notebook or in a page, the output for the first values is seen in their place.
"""

from __future__ import annotations

import asyncio
import html
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from anywidget import AnyWidget
from IPython.display import display

from dann_lib import player
from dann_lib.course.exercises.checking import explained
from dann_lib.course.lessons import Shown

T = TypeVar("T")

_TWIN = """<div data-live>{}<p><small>{}</small></p></div><style>
.jp-OutputArea:has(.dann) [data-live],
.jp-OutputArea:has([data-live]):not(:has(.dann)) .jp-OutputArea-output:not([data-mime-type]) {{ display: none }}
</style>"""
"""In JupyterLab it goes when the control is there, and the control when its kernel has gone."""


class Control:
    """Sliders for the arguments of a function; the last line of a cell shows them.

    A move calls the function. Moves wait while it or a cell is at work, and only the last of those that wait counts.
    What it raises is said in a line.

    Args:
        show: gives a figure, a sound, a table, a text, or a tuple of these. Its defaults are the first values.
        choices: the values of each of its arguments, in order.
    """

    def __init__(self, show: Callable[..., Any], **choices: Sequence[float]) -> None:
        defaults = inspect.signature(show).parameters
        self.show, self.choices = show, choices
        self.start = [int(np.abs(np.subtract(values, defaults[name].default)).argmin())
                      for name, values in choices.items()]

    def answer(self, places: Sequence[int]) -> str:
        """HTML of what the function gives, or what is wrong with it; `places` are those of the values in `choices`."""
        chosen = {name: values[place] for (name, values), place in zip(self.choices.items(), places, strict=True)}
        try:
            return _html(self.show(**chosen))
        except NotImplementedError:
            return _html("Nothing is written yet: replace “raise NotImplementedError”, run that cell, then this one.")
        except Exception as error:
            return f'<p role="alert">{html.escape(explained(error))}</p>'

    def _ipython_display_(self) -> None:
        texts = {name.replace("_", " "): [f"{value:.4g}" for value in values] for name, values in self.choices.items()}
        first = self.answer(self.start)
        widget = _widget(first, f"The sliders call {self.show.__name__}.", self.start, texts)

        def move(_: AnyWidget, message: dict[str, Any], *__: Any) -> None:
            widget.answer = {"to": message["to"], "html": self.answer(message["to"])}

        widget.on_msg(move)
        at = ", ".join(f"{name} {each[place]}" for (name, each), place in zip(texts.items(), self.start, strict=True))
        display(_twin(first, f"Here with {at}. Run the cell to change that with sliders."), widget)


async def watch(steps: Iterable[T], show: Callable[[T], Any]) -> T:
    """Show each thing that an iterator makes, such as a run after each epoch, in the place of the one before.

    It is made in a thread and awaited, so that what the page says is heard meanwhile: a button ends it after this step.

    Args:
        steps: at least one, none of them `None`.
        show: what is to be seen of each, as in `Control`.

    Returns:
        The last of them.
    """
    rest, stopped = iter(steps), asyncio.Event()
    widget = _widget(_html("Learning …"), "It grows while the network learns.")
    widget.on_msg(lambda *_: stopped.set())
    display(widget)
    while not stopped.is_set() and (step := await asyncio.to_thread(next, rest, None)) is not None:
        last = step
        widget.answer = {"to": [], "html": _html(await asyncio.to_thread(show, last))}
    widget.working = False
    display(_twin(widget.answer["html"], "Run the cell, and it grows while the network learns."))
    return last


def _widget(first: str, description: str, start: Sequence[int] = (), choices: Any = None) -> AnyWidget:
    data = {"choices": choices or {}, "answer": {"to": [*start], "html": first}, "working": choices is None}
    return player.Frame("live.js", data, "Try it", description).live()


def _twin(shown: str, note: str) -> Shown:
    return Shown(_TWIN.format(shown, html.escape(note)), note)


def _html(shown: Any) -> str:
    """Of one thing, or of several."""
    if isinstance(shown, tuple):
        return "".join(map(_html, shown))
    return f'<p role="status">{html.escape(shown)}</p>' if isinstance(shown, str) else shown._repr_html_()
