"""What tests take out of the lessons: single functions, and the exercises, to run them without a kernel."""

from __future__ import annotations

import ast
import dis
import itertools
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import jupytext
from nbformat import NotebookNode

from dann_lib.course.live import Control

FOLDER = Path(__file__).parents[1] / "notebooks"


def definitions(lesson: str, *names: str, **given: Any) -> dict[str, Any]:
    """Functions, classes and constants of a lesson, by running its imports and their definitions only.

    The sliders of a function `f` are there as `f_sliders`.

    Args:
        lesson: such as "03_unet".
        names: of what is wanted, in an order in which they can be defined.
        given: other names that the definitions need.
    """
    statements = [node for cell in jupytext.read(FOLDER / f"{lesson}.py").cells if cell.cell_type == "code"
                  for node in map(_named, ast.parse(cell.source).body)]
    imports = [node for node in statements if isinstance(node, (ast.Import, ast.ImportFrom))]
    wanted = {name: node for node in statements for name in _defines(node) if name in names}
    missing = set(names) - set(wanted)
    assert not missing, f"{lesson} does not define {missing}"
    namespace: dict[str, Any] = dict(given)
    for node in [*imports, *(wanted[name] for name in names)]:
        exec(compile(ast.Module([node], []), f"<{lesson}>", "exec"), namespace)
    return namespace


def run_cell(cell: NotebookNode, namespace: dict[str, Any], where: str) -> Any:
    """Run a cell as a notebook does; the value of its last line, if that is an expression."""
    module = ast.parse(textwrap.dedent(cell.source))
    last = module.body.pop() if module.body and isinstance(module.body[-1], ast.Expr) else None
    exec(compile(module, where, "exec"), namespace)
    return eval(compile(ast.Expression(last.value), where, "eval"), namespace) if last else None


def drive(control: Control) -> dict[tuple[float, ...], str]:
    """What a control shows with each slider at both of its ends; an exception of its function fails the test."""
    ends = list(itertools.product(*((0, len(values) - 1) for values in control.choices.values())))
    shown = {tuple(values[place] for values, place in zip(control.choices.values(), places, strict=True)):
             control.answer(places) for places in [control.start, *ends]}
    assert not [text for text in shown.values() if 'role="alert"' in text or "Nothing is written" in text], shown
    return shown


def reads(code: CodeType) -> Iterator[str]:
    """Names that a function takes from its notebook, those inside it too."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    yield from (name for inner in code.co_consts if isinstance(inner, CodeType) for name in reads(inner))


def _named(node: ast.stmt) -> ast.stmt:
    text = ast.unparse(node)
    return ast.parse(f"{node.value.args[0].id}_sliders = {text}").body[0] if text.startswith("live.Control(") else node


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
