"""The course as pages, from the file system and nothing else: all is shown, plays and can be used by all."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image
from playing import play_for_a_moment

from dann_lib.course import runner as course

LESSONS = [path.stem for path in sorted((course.REPOSITORY / "notebooks").glob("[0-9][0-9]_*.py"))]
OWN_SCHEMES = ("file:", "data:", "blob:", "about:")


@pytest.fixture(scope="module")
def book(chromium, tmp_path_factory) -> Path:
    """The whole book, from the lessons as they are stored."""
    out = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "dann_lib", "course", "--no-run", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=course.REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"Sphinx warns:\n{done.stderr}"
    return out


class Visits:
    """Pages of the book in a browser to which nothing but the file system answers.

    Attributes:
        asked: addresses outside, which were asked for and not given.
        said: errors of the pages.
    """

    def __init__(self, chromium: Any, book: Path) -> None:
        self.chromium, self.book = chromium, book
        self.contexts, self.asked, self.said = [], [], []

    def __call__(self, name: str, width: int = 1300, **options: Any) -> Any:
        context = self.chromium.new_context(viewport={"width": width, "height": 900}, **options)
        self.contexts.append(context)
        context.route("**/*", self._answer)
        page = context.new_page()
        page.on("pageerror", lambda error: self.said.append(f"{name}: {error}"))
        page.on("console", lambda line: self.said.append(f"{name}: {line.text}") if line.type == "error" else None)
        page.goto((self.book / f"{name}.html").as_uri())
        return page

    def _answer(self, route: Any) -> None:
        if route.request.url.startswith(OWN_SCHEMES):
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def end(self) -> None:
        for context in self.contexts:
            context.close()
        assert not self.asked and not self.said, (self.asked, self.said)


@pytest.fixture
def visit(chromium, book) -> Iterator[Visits]:
    """Open a page; what it asks for or complains of fails."""
    visits = Visits(chromium, book)
    yield visits
    visits.end()


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, chromium, book) -> Iterator[Any]:
    """The page of a lesson, on a phone, with all that is loaded when it is seen."""
    visits = Visits(chromium, book)
    page = visits(request.param, width=375)
    show_all(page)
    yield page
    visits.end()


def pages(book: Path) -> list[str]:
    """Names of all pages but those with source code."""
    names = [path.relative_to(book).with_suffix("").as_posix() for path in book.rglob("*.html")]
    return sorted(name for name in names if not name.startswith(("_modules", "_static")))


def show_all(page: Any) -> None:
    """Scroll through a page, so that what waits for being seen is loaded."""
    page.evaluate("""async () => {
        for (let y = 0; y < document.body.scrollHeight; y += 800) {
            window.scrollTo(0, y);
            await new Promise((done) => setTimeout(done, 20));
        }
    }""")


def test_a_lesson_is_complete_offline(lesson):
    lesson.wait_for_selector("mjx-container svg", state="attached")
    assert lesson.evaluate("document.querySelectorAll('[data-mml-node=merror]').length") == 0
    lesson.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    lesson.wait_for_function("[...document.querySelectorAll('audio')].every((audio) => audio.duration > 0.1)")
    assert lesson.locator("h1").count() == 1
    for frame in lesson.frames[1:]:
        frame.wait_for_function("document.getElementById('root').textContent !== 'Loading …'")
        assert "cannot be shown" not in frame.locator("#root").inner_text()


def test_all_players_of_a_lesson_play(lesson):
    players = [frame for frame in lesson.frames[1:] if frame.locator(".stems-lane").count()]
    assert len(players) <= 4, "more players than a page can carry"
    for frame in players:
        play_for_a_moment(frame)


def test_a_lesson_and_its_frames_can_be_used_by_all(lesson, looked_at):
    """No serious violation, light and dark; nothing makes a phone scroll sideways.

    Of frames each kind is looked at once in all lessons, and so is the dark, whose colours are those of the style.
    Code, thousands of words in colours, is looked at in one of the solutions and in a module instead.
    """
    kinds = {frame: "page" if frame is lesson.main_frame else frame.evaluate(
        "[...new Set([...document.querySelectorAll('[class]')].map((each) => each.classList[0]))].sort().join()")
        for frame in lesson.frames}
    for scheme in ("light", "dark"):
        show(lesson, scheme)
        for frame, kind in kinds.items():
            if (scheme, kind) not in looked_at or (scheme, kind) == ("light", "page"):
                looked_at.add((scheme, kind))
                found = violations(lesson, frame, scheme, leave_out=".highlight")
                assert not found, found
    for frame, width in [(lesson.main_frame, 375), *((frame, 342) for frame in lesson.frames)]:
        lesson.set_viewport_size({"width": width, "height": 800})
        wide = frame.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1], (frame.url, kinds[frame], wide)
    lesson.set_viewport_size({"width": 1280, "height": 800})
    lines = lesson.locator(".cell_input pre").evaluate_all("""(all) => all.filter((each) => each.checkVisibility()
        && each.scrollWidth > each.clientWidth).map((each) => each.textContent)""")
    assert not lines, "code that scrolls sideways"
    lesson.set_viewport_size({"width": 375, "height": 800})


@pytest.fixture(scope="module")
def looked_at() -> set[tuple[str, str]]:
    """Schemes and kinds of frames that a test has looked at."""
    return set()


def test_the_players_of_the_lessons_are_in_their_pages(book):
    sources = {name: (course.NOTEBOOKS / f"{name}.py").read_text() for name in LESSONS}
    with_players = [name for name in LESSONS if "player.stems(" in sources[name]]
    assert with_players
    assert not [name for name in with_players if "stems-lane" not in (book / f"{name}.html").read_text()]


def test_a_term_is_found_from_any_page(visit):
    page = visit("03_unet")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("searchbox").fill("reverberation")
    page.keyboard.press("Enter")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    names = [Path(address.partition("?")[0].partition("#")[0]).stem
             for address in results.evaluate_all("links => links.map((link) => link.href)")]
    assert {"07_listening", "ledger"} <= set(names)


def test_every_link_leads_somewhere(book):
    parsed = {path: Anchors(path) for path in book.rglob("*.html") if "_static" not in path.parts}
    lost = [f"{page.relative_to(book)}: {link}" for page, anchors in parsed.items() for link in anchors.links
            if not leads_somewhere(link, page, parsed)]
    assert len(parsed) > 100 and not lost, "\n".join(lost[:20])


class Anchors(HTMLParser):
    """The names and the links of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names, self.links = set(), set()
        self.feed(re.sub(r'"data:[^"]*"', '""', path.read_text()))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.names |= {given[key] for key in ("id", "name") if given.get(key)}
        self.links |= {given[key] for key in ("href", "src") if given.get(key)}


def leads_somewhere(link: str, page: Path, parsed: dict[Path, Anchors]) -> bool:
    """Whether a file is there and has the place that is linked to; what lies outside the book is not looked at."""
    if urlsplit(link).scheme:
        return True
    address = urlsplit(link)
    there = (page.parent / unquote(address.path)).resolve() if address.path else page
    return there.exists() and (not address.fragment or there not in parsed
                               or unquote(address.fragment) in parsed[there].names)


def show(page: Any, scheme: str) -> None:
    """Let the system ask for light or dark, and wait until the page and its frames are: without colours in between."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for frame in page.frames:
        frame.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")


def violations(page: Any, what: Any, scheme: str, leave_out: str = "") -> list[str]:
    """What axe-core finds serious or critical in a page or a frame of it; in the dark only colours are others."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    options = {"preload": False, "iframes": False, "resultTypes": ["violations"]}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast", "link-in-text-block"]
    context = {"exclude": [[leave_out]]} if leave_out else None
    found = axe.run(what, context=context, options=options).response["violations"]
    return [f"{page.url.rpartition('/')[2]}, {scheme}: {each['id']}: {each['nodes'][0]['html'][:150]}"
            for each in found if each["impact"] in ("serious", "critical")]


def test_every_other_page_can_be_used_by_all(visit, book):
    """The reference and the solutions have one look each, so a page of each stands for all."""
    alone = ["api/index", "api/dann_lib.report", "solutions/01_data", "_modules/dann_lib/report"]
    names = [name for name in pages(book) if "/" not in name and name not in LESSONS] + alone
    assert {"index", "glossary", "ledger", "search"} <= set(names)
    found = []
    for name in names:
        page = visit(name, width=375)
        for scheme in ("light", "dark") if name in ("index", "ledger", *alone) else ("light",):
            show(page, scheme)
            found += violations(page, page, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, name
        page.context.close()
    assert not found, "\n".join(found)


def test_light_and_dark_follow_the_switch_and_the_frames_follow_the_page(visit):
    page = visit("01_data", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.locator("header").get_by_role("button", name="Color mode").click()
    page.locator("header").get_by_role("button", name="Dark").click()
    assert page.evaluate(ground) != light
    frame = page.frames[1]
    frame.wait_for_function("document.documentElement.dataset.theme === 'dark'")


@pytest.mark.parametrize("system", ["light", "dark"])
def test_there_is_no_white_behind_a_frame_in_the_dark(visit, system):
    page = visit("01_data", color_scheme=system)
    page.evaluate("document.documentElement.dataset.theme = document.documentElement.dataset.mode = 'dark'")
    element = page.locator("iframe").first
    element.scroll_into_view_if_needed()
    page.frames[1].wait_for_function("document.documentElement.dataset.theme === 'dark'")
    box = element.bounding_box()
    corner = page.screenshot(clip={"x": box["x"], "y": box["y"], "width": 2, "height": 2})
    assert max(Image.open(io.BytesIO(corner)).convert("L").tobytes()) < 100
