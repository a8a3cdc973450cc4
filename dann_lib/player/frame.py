"""A module of `js/` in a frame of its own: style, code and data in one cell output, nothing fetched.

The module exports `default { render({ model, el }) }`, as anywidget does, and reads its data with
`model.get(name)`; so the same file runs in a stored page and with Python behind it (`Frame.live`). What it
imports from its neighbours (`import { … } from "./page.js"`) travels with it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from dann_lib.figures.style import Drawing

if TYPE_CHECKING:
    from anywidget import AnyWidget

_FOLDER = Path(__file__).parent / "js"
_IMPORT = re.compile(r'^import (\{[^}]+\}) from "\./([\w-]+\.js)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:(default) |(?=(?:async )?(?:function|const) (\w+)))", re.MULTILINE)
_UNTRUSTED = ("The interactive part shows itself once the cell is run, or the notebook is trusted "
              "(View, Activate Command Palette, Trust Notebook).")
_DOCUMENT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>{style}</style></head><body><div id="root" class="dann">Loading …</div>
<script type="application/json" id="data">{data}</script>
<script type="module">{code}</script></body></html>"""


@dataclass(frozen=True)
class Frame:
    """Something interactive that needs no kernel; the last line of a cell shows it.

    Attributes:
        module: name of the ES module in `js/`, such as `stems.js`.
        data: what the module reads with `model.get`: anything that JSON knows, and `bytes`, which become base64.
        title: name of the frame for a screen reader.
        description: what is to be seen and heard, shown below it.
        height_px: height until the frame has measured its content.
    """

    module: str
    data: Mapping[str, Any]
    title: str
    description: str
    height_px: int = 420

    def __post_init__(self) -> None:
        """Refuse what a reader could not use.

        Raises:
            ValueError: if title or description are empty, the module is unknown, or the data are not JSON.
        """
        for name in ("title", "description"):
            if not getattr(self, name).strip():
                raise ValueError(f"the frame has no {name}; say in words what it shows")
        bundle(self.module)
        self._json()

    def model(self) -> dict[str, Any]:
        """What the module can ask for: the data, `title` and `description`."""
        return {**self.data, "title": self.title, "description": self.description}

    def document(self) -> str:
        """The page inside the frame, complete: it refers to nothing outside of itself."""
        code = f'{bundle("frame.js", self.module)}modules["frame.js"].start(modules["{self.module}"].module);'
        return _DOCUMENT.format(title=html.escape(self.title), style=_read("player.css"), data=self._json(), code=code)

    def live(self) -> AnyWidget:
        """The same module with Python behind it, for as long as the kernel runs.

        Every entry of `data`, and `live`, which is true, is a trait: the module hears with `model.on` when Python
        changes it. Messages go both ways: `widget.send` and `widget.on_msg` here, `model.send` there.

        Raises:
            ImportError: if anywidget is not installed.
        """
        import anywidget
        import traitlets

        traits = {name: traitlets.Any(value).tag(sync=True) for name, value in {**self.model(), "live": True}.items()}
        code = bundle("frame.js", self.module)
        code += f'export default modules["frame.js"].live(modules["{self.module}"].module);'
        return type("LiveFrame", (anywidget.AnyWidget,), {"_esm": code, "_css": _read("player.css"), **traits})()

    def _repr_html_(self) -> str:
        document, title, words = (html.escape(text) for text in (self.document(), self.title, self.description))
        return (
            f'<figure style="margin:0.5em 0"><iframe srcdoc="{document}" title="{title}" '
            f'style="width:100%;height:{self.height_px}px;border:0;display:block">{_UNTRUSTED}</iframe>'
            f'<figcaption style="max-width:44em;margin-top:0.3em">{words}</figcaption></figure>'
        )

    def __repr__(self) -> str:
        return self.description

    def _json(self) -> str:
        """The model as JSON that may stand in a script element."""
        try:
            text = json.dumps(self.model(), allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_base64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the data of {self.module} cannot be written as JSON: {error}") from error
        return text.replace("<", "\\u003c")


@dataclass(frozen=True)
class Explorer:
    """A frame and its static twin, for a printout and where no scripts run; the last line of a cell shows it.

    Once the module runs, the twin is hidden, and takes the place of the frame in print (`frame.js`).
    """

    frame: Frame
    still: Drawing

    def _repr_html_(self) -> str:
        return f"<div data-interactive>{self.frame._repr_html_()}<div data-still>{self.still._repr_html_()}</div></div>"

    def __repr__(self) -> str:
        return self.frame.description


def bundle(*names: str) -> str:
    """ES modules of `js/` and all that they import from there, as one text for a script.

    It defines `modules`: name → what that module exports; the default export is called `module`. An address for
    each module (`data:`, an import map) would do as well in a page, but not in a notebook's widget, where there is
    no import map, and each address would hold those of its imports once more.

    Raises:
        ValueError: if there is no such module.
    """
    scopes = ["const modules = {};\n"]
    for name, text in _with_imports(names).items():
        exports = ["module" if found[1] else found[2] for found in _EXPORT.finditer(text)]
        code = _IMPORT.sub(r'const \1 = modules["\2"];', text)
        code = _EXPORT.sub(lambda found: "const module = " if found[1] else "", code)
        scopes.append(f'modules["{name}"] = (() => {{\n{code}\nreturn {{ {", ".join(exports)} }};\n}})();\n')
    return "".join(scopes)


def colour_map(name: str, count: int) -> list[str]:
    """A colour map of matplotlib, `#rrggbb` from low to high."""
    return [to_hex(colour) for colour in mpl.colormaps[name](np.linspace(0, 1, count))]


def _with_imports(names: tuple[str, ...]) -> dict[str, str]:
    """Name → text of the modules and what they import, each after those that it needs."""
    texts: dict[str, str] = {}
    for name in names:
        if not (_FOLDER / name).is_file():
            known = ", ".join(sorted(path.name for path in _FOLDER.glob("*.js")))
            raise ValueError(f"there is no module {name!r}; known are {known}")
        texts |= _with_imports(tuple(found[2] for found in _IMPORT.finditer(_read(name))))
        texts[name] = _read(name)
    return texts


@lru_cache(maxsize=32)
def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not known to JSON; give lists, numbers, text or bytes")
