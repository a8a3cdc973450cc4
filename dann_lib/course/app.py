"""The own-song panel as an app (`make app`): a page for whoever sits at this machine, and for nobody else.

Voilà serves it. Here are the settings that it lacks by default: only this machine is listened to, whatever name it is
called by; the address holds a token; no other page may frame it or get styles from elsewhere into it; few kernels.
"""

from __future__ import annotations

import sys
import webbrowser
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import HTTPError
from traitlets.config import Config
from voila.app import Voila

from dann_lib.course.lesson_files import NOTEBOOKS

PAGE = NOTEBOOKS / "own_song.ipynb"

MOST_KERNELS = 4
"""Pages that can be open at the same time; each has a kernel, which takes up to a gigabyte."""

IDLE_S = 600
"""A kernel whose page is gone ends after so long."""

POLICY = "frame-ancestors 'none'; style-src 'self' 'unsafe-inline'"
"""No other page shows this one in a frame; no icons from the network, which it does not use."""


class FewKernels(AsyncMappingKernelManager):
    """Kernels, at most `MOST_KERNELS` at a time."""

    async def start_kernel(self, **options: Any) -> str:
        """Start one; an `HTTPError` says that there are too many."""
        if len(self) >= MOST_KERNELS:
            raise HTTPError(503, reason=f"{MOST_KERNELS} pages are open already; close one of them, then try again")
        return await super().start_kernel(**options)


class App(Voila):
    """Voilà, which opens the browser at the address with the token."""

    def launch_browser(self) -> None:
        """Open the page; the address is printed in any case."""
        webbrowser.open(self.display_url)


def main(arguments: list[str]) -> None:
    """Serve the panel until it is interrupted; `arguments` are Voilà's, such as `--port=8866` or `--no-browser`."""
    settings = {"allow_remote_access": False, "headers": {"Content-Security-Policy": POLICY}}
    config = Config(
        Voila={"ip": "127.0.0.1", "auto_token": True, "tornado_settings": settings},
        VoilaConfiguration={"multi_kernel_manager_class": FewKernels},
        MappingKernelManager={"cull_idle_timeout": IDLE_S, "cull_interval": IDLE_S // 10},
    )
    App.launch_instance([str(PAGE), *arguments], config=config)


if __name__ == "__main__":
    main(sys.argv[1:])
