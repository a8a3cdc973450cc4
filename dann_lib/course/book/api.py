"""Pages of the API reference: one a module, written by Sphinx from the docstrings."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from types import ModuleType

import dann_lib

HIDDEN = ("__main__", "conf")
"""Modules that are run, not imported."""


def api_pages() -> dict[str, str]:
    """An index of all modules, and a page for each; those of a package share its page.

    Returns:
        Path below the sources of the book → reStructuredText.
    """
    modules = _modules(dann_lib)
    rows = [f"   * - :doc:`{module.__name__}`\n     - {_sentence(module)}" for module in modules]
    entries = [f"   {module.__name__}" for module in modules]
    index = [
        *_heading("API reference of dann_lib"), inspect.getdoc(dann_lib) or "", "",
        ".. list-table::", "   :header-rows: 1", "", "   * - module", "     - what it owns", *rows, "",
        ".. toctree::", "   :hidden:", "", *entries, "",
    ]
    return {"api/index.rst": "\n".join(index)} | {f"api/{module.__name__}.rst": _page(module) for module in modules}


def documented_modules() -> set[str]:
    """Names of all modules of the reference, those in packages among them."""
    modules = _modules(dann_lib)
    parts = [part for module in modules if hasattr(module, "__path__") for part in _modules(module)]
    return {module.__name__ for module in (*modules, *parts)}


def _modules(package: ModuleType) -> list[ModuleType]:
    """What lies directly in a package, in alphabetical order."""
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if info.name not in HIDDEN]
    return [importlib.import_module(f"{package.__name__}.{name}") for name in sorted(names)]


def _page(module: ModuleType) -> str:
    """A module; of a package, its public names and then its modules."""
    lines = [*_heading(module.__name__), f".. automodule:: {module.__name__}", "   :ignore-module-all:", ""]
    if not hasattr(module, "__path__"):
        return "\n".join(lines)
    names = [name for name in getattr(module, "__all__", ()) if not inspect.ismodule(getattr(module, name))]
    if names:
        links = [f":py:obj:`{name} <{_home(module, name)}>`" for name in names]
        lines += [f"To be imported from ``{module.__name__}``: {', '.join(links)}.", ""]
    for part in _modules(module):
        title = part.__name__.removeprefix(f"{module.__name__}.")
        lines += [*_heading(title, "-"), f".. automodule:: {part.__name__}", ""]
    return "\n".join(lines)


def _home(package: ModuleType, name: str) -> str:
    """The full name of what a package hands on, in the module that defines it."""
    thing = getattr(package, name)
    home = getattr(thing, "__module__", None)
    if isinstance(home, str) and home.startswith(package.__name__):
        return f"{home}.{name}"
    defines = re.compile(rf"^{name}\b.* = ", re.MULTILINE)
    parts = [part.__name__ for part in _modules(package) if defines.search(inspect.getsource(part))]
    return f"{(parts or [package.__name__])[0]}.{name}"


def _heading(title: str, line: str = "=") -> list[str]:
    return [title, line * len(title), ""]


def _sentence(module: ModuleType) -> str:
    """The first sentence of a module's docstring."""
    return " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split())
