"""The panel as an app (`make app`): a page of this machine alone, that separates a song."""

from __future__ import annotations

import asyncio
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from serving import REPOSITORY, arguments_of, serving
from tornado.web import HTTPError

from dann_lib.course import app


@pytest.fixture(scope="module")
def address(chromium, tmp_path_factory) -> Iterator[str]:
    """Of the app, started as the Makefile starts it, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving([*arguments_of("app"), f"--port={port}", "--no-browser"], tmp_path_factory.mktemp("app") / "log.txt",
                 REPOSITORY) as address:
        yield address


def test_a_song_is_separated_on_a_page_that_only_this_machine_serves(chromium, address, tmp_path):
    path = tmp_path / "tune.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, (3 * 22_050, 2)), 22_050)
    context = chromium.new_context()
    asked = []

    def answer(route: object) -> None:
        inside = route.request.url.startswith((address.partition("?")[0], "blob:", "data:"))
        asked.extend([] if inside else [route.request.url])
        route.continue_() if inside else route.abort()

    context.route("**/*", answer)
    page = context.new_page()
    page.goto(address)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a song").click()
    chooser.value.set_files(path)
    page.get_by_text("separated in").wait_for()
    page.frame_locator("figure iframe").get_by_role("button", name="Play").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Download vocals")).click()
    assert soundfile.info(download.value.path()).frames == 3 * 22_050
    assert page.get_by_text("In [").count() == 0, "no code is shown"
    context.close()
    assert not asked, asked


def answer_to(url: str, **headers: str) -> tuple[int, str, str]:
    """Status, address after redirections, and policy of what a server answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as found:
            return found.status, found.url, found.headers["Content-Security-Policy"]
    except urllib.error.HTTPError as error:
        return error.code, error.url, error.headers["Content-Security-Policy"]


def test_who_has_no_token_or_comes_by_another_name_gets_nothing(address):
    """Another name is what a page of another site would come by, after it was bound to this machine (DNS rebinding)."""
    place, _, token = address.partition("?")
    assert token.startswith("token=")
    _, where, policy = answer_to(place)
    assert "/login" in where and "frame-ancestors 'none'" in policy and "style-src 'self'" in policy
    assert "/login" in answer_to(f"{place}?token=guessed")[1]
    assert answer_to(address, Host="evil.example")[0] == 403


def test_there_are_at_most_so_many_kernels():
    kernels = app.FewKernels()
    kernels._kernels = dict.fromkeys(map(str, range(app.MOST_KERNELS)))
    with pytest.raises(HTTPError, match="503") as refused:
        asyncio.run(kernels.start_kernel())
    assert "close one of them" in refused.value.reason
