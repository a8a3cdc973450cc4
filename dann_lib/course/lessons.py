"""What several lessons share: the live run, the reference run, the library's own code, the table of claims."""

from __future__ import annotations

import html
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dann_lib.config import TrainingConfig
from dann_lib.errors import CheckpointError
from dann_lib.files import data_folder
from dann_lib.reproduce.evidence import Evidence
from dann_lib.reproduce.ledger import ledger as judge
from dann_lib.reproduce.ledger import markdown, stored_ledger

if TYPE_CHECKING:
    import pandas as pd
    from IPython.display import Code, Markdown

    from dann_lib.corpus import Corpus
    from dann_lib.figures import Drawing
    from dann_lib.training import Run

LIVE = TrainingConfig(n_chunk_frames=22, batch_size=2, epochs=4, held_out="test")
"""The run of figure 8 in lesson 5: the whole of DANN with the report's SGD, momentum and gain.

Lessons 6 to 8 evaluate and hear it. The embedded corpus has few songs. Chunks of 22 in place of 88 frames, in batches
of 2 in place of 16, give 24 times as many updates in an epoch, for the same computation.
"""

_DOCSTRING = re.compile(r'^ +r?""".*?"""\n(?: *\n)?', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """What a cell shows, as HTML and as text: the same for the same numbers, which a pandas `Styler` is not."""

    page: str
    text: str

    def _repr_html_(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return self.text


class Verdict(NamedTuple):
    """What a lesson found about a claim, with numbers and units, and whether it agrees; `None` if that is open."""

    found: str
    agrees: bool | None


def live_run(corpus: Corpus) -> Run:
    """The run that lessons 5 to 8 share; the first of them trains it, in a quarter of a minute."""
    return train_live(corpus, LIVE, "05")


def train_live(corpus: Corpus, config: TrainingConfig, name: str, progress: bool = True) -> Run:
    """Train in `data/runs/lesson-NAME`, or go on there; a run of another configuration is replaced.

    Where two lessons are run at the same time, one waits for the other.
    """
    from filelock import FileLock

    from dann_lib.training import train

    folder = live_folder(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        try:
            return train(corpus, config, folder, device="cpu", progress=progress)
        except CheckpointError:
            return train(corpus, config, folder, device="cpu", progress=progress, restart=True)


def live_folder(name: str) -> Path:
    """The folder of a lesson's run."""
    return data_folder() / "runs" / f"lesson-{name}"


def table(frame: pd.DataFrame, form: str = "{:.1f}", caption: str = "") -> Shown:
    """A table whose numbers are written in one way.

    Args:
        frame: columns of floating-point numbers are formatted, others stay.
        form: such as `"{:.1f} dB"`.
        caption: what the table shows.
    """
    cells, floats = frame.copy(), frame.select_dtypes("floating")
    cells[floats.columns] = floats.map(form.format)
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return Shown(f'<figure style="margin:0.5em 0">{cells.to_html(border=0)}{below}</figure>',
                 "\n".join(filter(None, (cells.to_string(), caption))))


def quick_check(question: str, answer: str) -> Shown:
    """A question to ask oneself, with an answer that unfolds; it works without a kernel and in a page.

    Args:
        question: as Markdown; answers to choose from, (a), (b) and so on, get lines of their own.
        answer: with its reason, as Markdown, with its numbers put in by the code that computed them.
    """
    asked, unfolded = _markdown_to_html(f"**Quick check.** {question}", answer)
    asked = re.sub(r" (?=[(][a-e][)] )", "<br>", asked)
    return Shown(
        f'<div class="quick-check" style="border-left:4px solid #0072b2;padding:0.2em 0.8em;max-width:44em">'
        f"{asked}<details><summary>Answer</summary>{unfolded}</details></div>", f"Quick check. {question}\n{answer}")


def _markdown_to_html(*texts: str) -> list[str]:
    """Markdown with equations between dollars, which stay for MathJax to set."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt().enable("table").use(dollarmath_plugin)
    parser.add_render_rule("math_inline", lambda _, tokens, index, *__: f"${html.escape(tokens[index].content)}$")
    return [parser.render(text) for text in texts]


def show_source(*objects: Callable[..., object] | type) -> Code:
    """Show functions or classes of the library as they are, in colours, without their documentation."""
    from IPython.display import Code

    sources = (textwrap.dedent(inspect.getsource(each)).rstrip() for each in objects)
    return Code("\n\n".join(_DOCSTRING.sub("", source) for source in sources), language="python")


def claims_table(lesson: int, verdicts: Mapping[str, Verdict]) -> Markdown:
    """The claims of the report that a lesson looks at: what your run found (by id), what the reference run measured.

    Raises:
        ValueError: if a claim of the lesson has no verdict, or a verdict no claim.
    """
    stored = [outcome for outcome in stored_ledger() if outcome.claim.lesson == lesson]
    ids = {outcome.claim.id for outcome in stored}
    if ids != set(verdicts):
        raise ValueError(f"lesson {lesson} has the claims {sorted(ids)}, and verdicts on {sorted(verdicts)}")
    words = {True: "agrees", False: "does not agree", None: "cannot tell"}
    return _markdown_table(("The report says", "Your run", "The reference run", "Its verdict"), [
        (f"{claim.text} ({claim.section})", f"{found.rstrip('.')}: **{words[agrees]}**",
         f"{outcome.measured}: {claim.measure}", f"**{outcome.verdict}**")
        for outcome in stored for claim in [outcome.claim] for found, agrees in [verdicts[claim.id]]
    ])


def all_claims() -> Markdown:
    """All claims of the report that can be tested, each with its verdict and a link to its lesson."""
    files = (Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.py")
    names = {int(path.name[:2]): path.stem for path in files}
    return _markdown_table(("Section", "The report says", "The reference run", "Lesson"), [
        (claim.section, claim.text, outcome.verdict, f"[{claim.lesson}]({names[claim.lesson]}.ipynb)")
        for outcome in stored_ledger() for claim in [outcome.claim]
    ])


def ledger() -> Markdown:
    """Every claim: what the report says, what the reference run measured, the verdict."""
    from IPython.display import Markdown

    return Markdown(markdown(judge(Evidence.stored()), "../data/reference", details=True))


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markdown:
    from IPython.display import Markdown

    return Markdown("\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)))


def reference(name: str) -> Drawing:
    """A figure of the reference run, such as "figure_8", drawn from the stored evidence as yours is.

    Raises:
        DannError: if there is no such figure, or no evidence.
    """
    from dann_lib.reproduce.drawing import draw

    return draw(Evidence.stored(), name)
