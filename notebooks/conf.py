"""Settings of Sphinx for the book of the course; `python -m dann_lib course` calls it."""

from __future__ import annotations

import gc
import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

from dann_lib.course.book import fill_pages, kept_lessons
from dann_lib.course.lesson_files import NOTEBOOKS, SOLUTIONS
from dann_lib.errors import DannError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

gc.set_threshold(200_000, 20, 20)  # trees of documents are large and stay: an eighth of the time

MATHJAX = "tex-svg.js"  # version 3 in one file, with its fonts
if not (_wheel := find_spec("sphinx-mathjax-offline")):
    raise DannError("MathJax, which sets the equations, is missing; run: pip install sphinx-mathjax-offline")

project = "How machines separate a song into its instruments"
html_title = project
language = "en"
extensions = ["myst_nb", "sphinx.ext.autosummary", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
suppress_warnings = ["autosummary.import_cycle", "config.cache", "ref.python"]  # two may have a class of the same name

# Lessons and texts
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_merge_streams = True
nb_code_prompt_show, nb_code_prompt_hide = "Show the code", "Hide the code"
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# API reference: `name` in a docstring is code, and a link where it is known
default_role = "py:obj"
add_module_names = False
autosummary_generate = False
autodoc_use_type_comments = False  # to look for them takes seconds
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
napoleon_use_ivar = True
napoleon_use_rtype = False
viewcode_line_numbers = True

# Equations: also in the HTML output of cells
myst_update_mathjax = False
mathjax_path = MATHJAX
mathjax3_config = {
    "tex": {"inlineMath": [["\\(", "\\)"], ["$", "$"]], "tags": "none"},
    "options": {"processHtmlClass": "tex2jax_process|mathjax_process|math|text_html"},
    "svg": {"fontCache": "local"},
}

# Pages
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "logo": {"text": "How machines separate a song", "image_light": "logo.svg", "image_dark": "logo.svg"},
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "search_bar_text": "Search the course",
    "article_header_start": [],
    "secondary_sidebar_items": ["page-toc", "notebook-link"],
    "show_toc_level": 2,
    "footer_start": [],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"**": ["course-nav.html"]}
html_static_path = ["_static", str(Path(_wheel.origin).parent / "static" / "mathjax" / MATHJAX)]
html_css_files = ["book.css"]
html_favicon = "_static/logo.svg"
templates_path = ["_templates"]
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}  # and "out", the folder of the book
html_show_copyright = False
html_use_index = False
html_domain_indices = False
html_show_search_summary = False  # it is fetched, which a page from the file system must not do


def setup(app: Sphinx) -> None:
    """Write the pages that follow from others, and say what Sphinx cannot know."""
    lessons = kept_lessons(Path(app.config.html_context["out"]))
    fill_pages(Path(app.srcdir), lessons, app.tags.has("whole"), app.tags.has("solutions"))
    app.connect("doctree-read", partial(_link_files, {each.page: each.source.parent for each in lessons}), priority=400)
    app.connect("autodoc-skip-member", _skip)
    app.connect("html-page-context", _give_contents, priority=900)


def _link_files(folders: dict[str, Path], app: Sphinx, tree: nodes.document) -> None:
    """Take files along that no page is made of: links to them start in the folder where the page's source lies."""
    here = app.env.docname
    for node in [*tree.findall(nodes.image), *tree.findall(addnodes.pending_xref)]:
        key = "uri" if isinstance(node, nodes.image) else "reftarget"
        target = folders.get(here, NOTEBOOKS) / node[key].partition("#")[0]
        if ":" in node[key] or not target.is_file():
            continue
        node[key] = Path(os.path.relpath(target, (app.srcdir / here).parent)).as_posix()
        if key == "reftarget":
            node.replace_self(addnodes.download_reference("", "", *node.children, **node.attributes))


def _skip(app: Sphinx, what: str, name: str, thing: object, skip: bool, options: Any) -> bool | None:
    """Fields of named tuples, which their class describes; what a module imports, before it takes time."""
    if what == "module" and isinstance(thing, type | FunctionType):
        return True if thing.__module__ != app.env.current_document.autodoc_module else None
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def _give_contents(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """The contents for `course-nav.html`; the theme's own take a fifth of a second for each page."""
    tables = app.env.get_doctree(app.config.root_doc).findall(addnodes.toctree)
    context["course_contents"] = [
        (table["caption"], [_entry(app, name, page) for _, name in table["entries"]]) for table in tables
    ]


def _entry(app: Sphinx, name: str, page: str) -> dict[str, Any]:
    """A line of the contents as `page` shows it: with the pages below it if that is one of them."""
    title = app.env.titles[name].astext()
    inside = page.replace("_modules/", "api/").startswith(name.removesuffix("index"))
    below = app.env.toctree_includes.get(name, []) if inside else []
    return {
        "page": name, "is_here": name == page, "below": [_entry(app, each, page) for each in below],
        "title": title.partition(" · ")[0] if name.startswith(SOLUTIONS) else title,
    }
