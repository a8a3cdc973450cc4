"""A module of this folder in a frame of its own: style, code and data in one cell output, nothing fetched.

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

if TYPE_CHECKING:
    from anywidget import AnyWidget

_FOLDER = Path(__file__).parent / "js"
_IMPORT = re.compile(r'(from\s*|import\s*)"\./([\w-]+\.js)"')
_UNTRUSTED = (
    "The interactive part shows itself once the cell is run, or the notebook is trusted "
    "(View, Activate Command Palette, Trust Notebook)."
)
_DOCUMENT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>{style}</style></head><body><div id="root" class="dann">Loading …</div>
<script type="application/json" id="data">{data}</script>
<script type="application/json" id="modules">{modules}</script>
<script type="module">{shim}</script></body></html>"""


@dataclass(frozen=True)
class Frame:
    """Something interactive that needs no kernel; the last line of a cell shows it.

    Attributes:
        module: name of the ES module in this folder, such as `stems.js`.
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
        _modules(self.module)
        self._json()

    def model(self) -> dict[str, Any]:
        """What the module can ask for: the data, `title` and `description`."""
        return {**self.data, "title": self.title, "description": self.description}

    def document(self) -> str:
        """The page inside the frame, complete: it refers to nothing outside of itself."""
        return _DOCUMENT.format(
            title=html.escape(self.title), style=style(), data=self._json(), shim=_read("frame.js"),
            modules=_in_script(json.dumps(_modules(self.module), ensure_ascii=False)),
        )

    def live(self) -> AnyWidget:
        """The same module with Python behind it: every entry of `data` is a synchronised trait.

        Raises:
            ImportError: if anywidget is not installed.
        """
        from dann_lib.player.live import live

        return live(self)

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
        try:
            text = json.dumps(self.model(), allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_base64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the data of {self.module} cannot be written as JSON: {error}") from error
        return _in_script(text)


def module_url(name: str) -> str:
    """An ES module as a `data:` address, with what it imports from this folder inside it.

    Raises:
        ValueError: if this folder has no such module.
    """
    return _data_urls(_modules(name))[name]


def style() -> str:
    """The style sheet that all modules share."""
    return _read("player.css")


def _modules(name: str) -> dict[str, str]:
    """An ES module and what it imports from this folder: name → text, each after those that it needs."""
    if not (_FOLDER / name).is_file():
        known = ", ".join(sorted(path.name for path in _FOLDER.glob("*.js")))
        raise ValueError(f"there is no module {name!r}; known are {known}")
    texts: dict[str, str] = {}
    for match in _IMPORT.finditer(_read(name)):
        texts |= _modules(match[2])
    return {**texts, name: _read(name)}


def _data_urls(texts: Mapping[str, str]) -> dict[str, str]:
    urls: dict[str, str] = {}
    for name, text in texts.items():
        code = _IMPORT.sub(lambda match: f'{match[1]}"{urls[match[2]]}"', text)
        urls[name] = f"data:text/javascript;charset=utf-8;base64,{base64.b64encode(code.encode()).decode()}"
    return urls


def _in_script(text: str) -> str:
    """JSON that may stand in a script element."""
    return text.replace("<", "\\u003c")


@lru_cache(maxsize=32)
def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not known to JSON; give lists, numbers, text or bytes")
