"""A real server and a real browser for the tests that look at pages as people do."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasuki.actions.workspace import Workspace
from tasuki.web.app import create_app
from tasuki.web.run import free_port, server_of

CHROMIUM = Path("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no chromium on this machine ({CHROMIUM})")


@contextmanager
def serving(workspace: Workspace) -> Iterator[str]:
    """The pages of a workspace at an address, by the server that users run."""
    port = free_port("127.0.0.1", 0)
    server = server_of(create_app(workspace), "127.0.0.1", port)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(server),))
    thread.start()
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(address)
        yield address
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join(20)
    assert not thread.is_alive(), "the server did not stop"
    loop.close()


async def _serve(server: Any) -> None:
    await server.serve()


def _wait_until_it_answers(address: str) -> None:
    for _ in range(200):
        try:
            if httpx.get(f"{address}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("the server does not answer")


class Visits:
    """Pages in contexts of their own, and what the browser complained about: errors, dialogs, foreign addresses."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.complaints: list[str] = []

    def __call__(self, **options: Any) -> Any:
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda one: self.complaints.append(one.url) if "127.0.0.1" not in one.url else None)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()
