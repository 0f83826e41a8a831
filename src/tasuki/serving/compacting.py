"""Compaction beside a running service: in a process of its own that yields to others, and that may be killed.

`python -m tasuki.serving.compacting SEGMENTS WRITE_AHEAD` is that process.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from tasuki.clock import Clock, system_clock
from tasuki.errors import TasukiError, Unavailable
from tasuki.serving.compaction_told import compact_and_tell, tell_failed
from tasuki.serving.exposures import LogPlace
from tasuki.serving.finished_hours import is_due

COMPACT_S = 60.0
"""Seconds between two looks whether an hour is over."""
YIELDING = 10
"""How much the process yields to the service (niceness)."""
FAILED = 3
"""The exit code of a compaction that failed and has told so; an interpreter that cannot go on ends with 1."""


class Compacting:
    """Looks now and then whether an hour that is over left small segments, and has them compacted.

    Args:
        place: Where the log lies.
        every_s: Seconds between two looks.
        clock: Where the time comes from.
        say: Told when it fails; a log that is not compacted is still whole. How it went is kept as well, for `/health`.
    """

    def __init__(self, place: LogPlace, every_s: float, clock: Clock, say: Callable[[str], None]) -> None:
        self._place = place
        self._every_s = every_s
        self._clock = clock
        self._say = say
        self._said = ""
        self._stop = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="compacting", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, with the compaction that is under way: it may be broken off anywhere, and is made up for later."""
        self._stop.set()
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            if is_due(self._place.segments, self._clock()):
                failed = self._compact()
                if failed and failed != self._said and not self._stop.is_set():
                    self._say(f"the exposure log was not compacted: {failed}")
                self._said = failed

    def _compact(self) -> str:
        """Compacts, and returns why that failed, or nothing. The process itself keeps how it went."""
        words = ["-m", "tasuki.serving.compacting", str(self._place.segments), str(self._place.write_ahead)]
        try:
            with subprocess.Popen(
                [sys.executable, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                text=True,
            ) as process:  # fmt: skip
                self._process = process
                if self._stop.is_set():
                    process.kill()
                _, said = process.communicate()
        except OSError as error:
            with contextlib.suppress(Unavailable):
                tell_failed(self._place.write_ahead.parent, [str(error)], self._clock())
            return str(error)
        finally:
            self._process = None
        if process.returncode in (0, FAILED):
            return " ".join(said.split())[-500:]
        why = f"its process ended with {process.returncode}: {' '.join(said.split())[-500:]}"
        if not self._stop.is_set():  # whoever stops breaks it off
            with contextlib.suppress(Unavailable):
                tell_failed(self._place.write_ahead.parent, [why], self._clock())
        return why


def main(segments: str, write_ahead: str) -> int:
    """Compacts once, yielding to everybody else; the exit code."""
    with contextlib.suppress(OSError):
        os.nice(YIELDING)
    try:
        done = compact_and_tell(Path(segments), Path(write_ahead), system_clock())
    except TasukiError as error:
        print(error, file=sys.stderr)
        return FAILED
    if done.left:
        print("; ".join(done.left), file=sys.stderr)
    return FAILED if done.left else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
