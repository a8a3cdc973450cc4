"""What tests in the pages and in JupyterLab do with a player."""

from __future__ import annotations

from typing import Any


def play_for_a_moment(frame: Any) -> None:
    """Press Play in the frame of a stem player, wait until the position has advanced, and pause."""
    frame.get_by_role("button", name="Play").click()
    before = float(frame.get_by_role("slider", name="Position").get_attribute("aria-valuenow"))
    frame.wait_for_function("(before) => Number(document.querySelector('[role=slider][aria-label=Position]')"
                            ".ariaValueNow) > before", arg=before)
    frame.get_by_role("button", name="Pause").click()
