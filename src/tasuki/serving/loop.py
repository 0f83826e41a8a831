"""The event loop of the service: other threads wake it only while it sleeps, and it asks the kernel only when idle.

Granian reads from the network in threads of its own and hands over each request, and then its body, with
`call_soon_threadsafe`. For each of them asyncio's own loop writes a byte to itself and reads it again, which costs four
calls of the kernel for a request, and the interpreter goes to another thread and back at each.
"""

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple

_Arguments = TypeVarTuple("_Arguments")

MOST_SKIPPED = 50
"""Rounds with work at hand before the kernel is asked all the same: a signal must not wait for a pause."""


class QuietLoop(asyncio.SelectorEventLoop):
    """An event loop that is woken once for all that comes while it sleeps, and not at all while it works."""

    def __init__(self) -> None:
        self._doze = _Doze()
        super().__init__(self._doze)

    def call_soon_threadsafe(
        self, callback: Callable[[*_Arguments], object], *args: *_Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Has the callback called in the loop's thread; may be called from any thread."""
        if self.get_debug():  # it wants `call_soon` to be called in the loop's thread only
            return super().call_soon_threadsafe(callback, *args, context=context)
        handle = self.call_soon(callback, *args, context=context)
        doze = self._doze
        # First the queue, then `arrived`, then `asleep`: the loop sets and reads them the other way round, so that
        # either it sees what came or it is seen to sleep.
        doze.arrived = True
        if doze.asleep:
            doze.asleep = False
            super().call_soon_threadsafe(_nothing)
        return handle


class _Doze(selectors.DefaultSelector):
    """Waits for what the loop watches, except when something arrived after the loop had looked at its queue."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = False
        self.arrived = False
        self._skipped = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            self._skipped += 1
            if self._skipped < MOST_SKIPPED:
                self.arrived = False
                return []
        else:
            self.asleep = True
            if self.arrived:
                timeout = 0
        self._skipped = 0
        events = super().select(timeout)
        self.asleep = False
        self.arrived = False  # the loop looks at its queue after this, and finds whatever came until now
        return events


def _nothing() -> None:
    """What wakes the loop."""
