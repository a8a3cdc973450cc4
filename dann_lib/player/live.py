"""A module of this folder with Python behind it: what it shows and what Python knows stay the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dann_lib.player.frame import Frame, module_url, style

if TYPE_CHECKING:
    from anywidget import AnyWidget


def live(frame: Frame) -> AnyWidget:
    """The frame's module as a widget; every entry of its data is a trait, synchronised in both directions.

    `widget.observe(answer, "position")` calls Python when the listener moves; `widget.position = 3.0` moves
    the listener. A kernel is needed for as long as the widget shall work.

    Args:
        frame: the frame; `live` is added to its model, so that the module knows.

    Raises:
        ImportError: if anywidget is not installed.
    """
    import anywidget
    import traitlets

    data = {**frame.model(), "live": True}
    traits = {name: traitlets.Any(value).tag(sync=True) for name, value in data.items()}
    source = (
        f'import {{ live }} from "{module_url("live.js")}";'
        f'import module from "{module_url(frame.module)}";'
        "export default live(module);"
    )
    kind = type("LiveFrame", (anywidget.AnyWidget,), {"_esm": source, "_css": style(), **traits})
    return kind()
