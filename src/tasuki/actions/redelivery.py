"""Delivers again what a webhook did not take, while the pages are served: soon, then ever more seldom.

One process of a workspace does it (a lock in the workspace's folder); when it stops, another takes over.
"""

import fcntl
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from tasuki.actions.notify import deliver_waiting
from tasuki.actions.workspace import Webhook, Workspace
from tasuki.errors import TasukiError

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
LOCK = ".webhooks.lock"


def wait_after(failures: int) -> float:
    """Seconds until the next try: 1, 2, 4 … up to five minutes."""
    return float(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(max(0, failures - 1), 20)))


@dataclass
class _Known:
    """A webhook's failures in a row, and how long it is left alone."""

    failures: int = 0
    wait_s: float = 0.0


class Redelivery:
    """A thread that looks once a second for what waits.

    Args:
        workspace: Whose webhooks are told.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known = {webhook: _Known() for webhook in workspace.webhooks}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begins, where there is a webhook."""
        if self._known:
            self._thread.start()

    def stop(self) -> None:
        """Ends after the delivery that is on its way."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        with suppress(OSError), (self._workspace.folder / LOCK).open("a") as lock:
            while not self._stopped.is_set() and not _is_taken(lock):
                self._stopped.wait(FIRST_WAIT_S)
            while not self._stopped.wait(FIRST_WAIT_S):
                for webhook, known in self._known.items():
                    self._look(webhook, known)

    def _look(self, webhook: Webhook, known: _Known) -> None:
        known.wait_s -= FIRST_WAIT_S
        if known.wait_s > 0:
            return
        try:
            is_done = deliver_waiting(self._workspace, webhook)
        except TasukiError:
            return  # the ledger is busy; it is looked at again
        known.failures = 0 if is_done else known.failures + 1
        known.wait_s = 0.0 if is_done else wait_after(known.failures)


def _is_taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
