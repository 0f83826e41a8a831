"""Several worker processes on one port: forked from a parent that has no threads, started anew when one dies."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

AGAIN_S = 1.0
"""A worker that dies sooner than this after its start is started again only after as long."""


class Supervisor:
    """Keeps so many workers alive until it is told to stop, then lets each finish.

    Args:
        count: How many.
        work: What a worker does, given its number from 1; it ends on SIGTERM.
        say: Told when a worker dies.
    """

    def __init__(self, count: int, work: Callable[[int], None], say: Callable[[str], None]) -> None:
        self._count = count
        self._work = work
        self._say = say
        self._workers: dict[int, tuple[int, float]] = {}
        self._stopping = False

    def run(self) -> None:
        """Works until SIGTERM or SIGINT reached this process and every worker has ended."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        _import_for_workers()
        for number in range(1, self._count + 1):
            self._fork(number)
        while self._workers:
            try:
                process, status = os.wait()
            except ChildProcessError:
                return
            number, began = self._workers.pop(process, (0, 0.0))
            if number and not self._stopping:
                self._say(f"worker {number} ended ({os.waitstatus_to_exitcode(status)}); another takes its place")
                time.sleep(max(0.0, AGAIN_S - (time.monotonic() - began)))
                if not self._stopping:
                    self._fork(number)

    def _fork(self, number: int) -> None:
        process = os.fork()
        if process:
            self._workers[process] = (number, time.monotonic())
            if self._stopping:  # the wish to stop came while it was being made
                os.kill(process, signal.SIGTERM)
            return
        ended = 1
        try:
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            self._work(number)
            ended = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for process in list(self._workers):
            try:
                os.kill(process, signal.SIGTERM)
            except ProcessLookupError:
                continue


def _import_for_workers() -> None:
    """What every worker needs is read once, before they part: they start at once and share the memory."""
    import granian.server.embed  # noqa: F401

    import tasuki.serving.app  # noqa: F401
    from tasuki.serving.segments import prepare_arrow

    prepare_arrow()
