"""The rooms of the package: imports run one way, the root stays small, README and CONTRIBUTING name what is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dann_lib"
ROOMS = ("root", "audio", "synthetic", "corpus", "evaluation", "figures", "player", "reproduce", "course")
"""Each imports only from itself and from those before it; the command line and its bench from all of them."""

ABOVE_ALL = ("__main__.py", "bench.py")
LESSONS = sorted((ROOT / "notebooks").glob("0*.py"))


def room(module: str) -> str:
    """The room of a module such as `dann_lib.audio.reading`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else "root"


def imports(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports, wherever it does, but for the sake of types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dann_lib":
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if is_module(full) else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "dann_lib")


def is_module(name: str) -> bool:
    place = ROOT / name.replace(".", "/")
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
         for path in sorted(PACKAGE.rglob("*.py")) if path.name not in ABOVE_ALL}


def test_every_room_knows_only_the_rooms_before_it():
    against = [f"{name} imports {found}" for name, path in FILES.items() for found in imports(path)
               if ROOMS.index(room(found)) > ROOMS.index(room(name))]
    assert not against


def test_imports_run_in_no_circle():
    below = {name: {found for found in imports(path) if found in FILES} - {name} for name, path in FILES.items()}
    while free := [name for name, needs in below.items() if not needs]:
        below = {name: needs - set(free) for name, needs in below.items() if name not in free}
    assert not below


def test_the_root_is_the_reports_system_alone():
    names = {path.stem for path in PACKAGE.glob("*.py")}
    assert names == {"__init__", "__main__", "report", "spectrogram", "network", "baselines", "config", "batches",
                     "training", "checkpoint", "devices", "separation", "errors", "files", "bench"}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_the_readme_says_which_files_a_lesson_imports(lesson):
    found = {str(FILES[name].relative_to(ROOT)) for name in imports(lesson) if not name.startswith("dann_lib.course")}
    row = next(line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
               if line.startswith(f"| {int(lesson.name[:2])} | `") )
    told = {link for link in re.findall(r"\]\((dann_lib/[^)]*)\)", row)}
    assert {link if link.endswith(".py") else f"{link}/__init__.py" for link in told} == found


def test_files_that_are_named_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8") + (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([\w./-]+)\)", text) + re.findall(r"`((?:dann_lib|tests|notebooks)/[\w./-]+)`", text)
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).exists()] == []
