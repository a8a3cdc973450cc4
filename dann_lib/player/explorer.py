"""An interactive frame with a still picture of the same data, for a printout and where no scripts run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dann_lib.figures.style import Drawing
from dann_lib.player.frame import Frame

if TYPE_CHECKING:
    from anywidget import AnyWidget


@dataclass(frozen=True)
class Explorer:
    """A frame and its static twin; the last line of a cell shows it.

    The module in the frame hides the twin once it runs, and gives way to it in print (`replaceStill` of
    `plots.js`). Where no script runs, the twin stays.

    Attributes:
        frame: the interactive part.
        still: the picture, described in words.
    """

    frame: Frame
    still: Drawing

    def live(self) -> AnyWidget:
        """The same module with Python behind it; see `Frame.live`."""
        return self.frame.live()

    def _repr_html_(self) -> str:
        return f"<div data-interactive>{self.frame._repr_html_()}<div data-still>{self.still._repr_html_()}</div></div>"

    def __repr__(self) -> str:
        return self.frame.description
