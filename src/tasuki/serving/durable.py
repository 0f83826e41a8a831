"""The writing side of a durable log: groups go to a write-ahead file at once, finished files become segments later."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from tasuki.serving.segments import Gathered
from tasuki.serving.write_ahead import WriteAheadFile, file_name

ROWS_PER_FILE = 100_000
_Finished = tuple[WriteAheadFile, int, Gathered]


class Place(Protocol):
    """Where write-ahead files lie, and after how many seconds one becomes a segment."""

    @property
    def write_ahead(self) -> Path: ...  # noqa: D102

    @property
    def flush_s(self) -> float: ...  # noqa: D102


class DurableWriter:
    """Appends groups to numbered write-ahead files and has a segment made of each; used by one thread.

    Args:
        place: Where the files lie.
        log: The log's name.
        keep: Writes the segment of a number, and says whether it is on the disk.
    """

    def __init__(self, place: Place, log: str, keep: Callable[[int, Gathered], bool]) -> None:
        self._place = place
        self._log = log
        self._keep = keep
        self._file: WriteAheadFile | None = None
        self._rows = Gathered()
        self._number = 0
        self._began = 0.0
        self._finished: SimpleQueue[_Finished | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._make_segments, name="exposure-segments", daemon=True)
        self._thread.start()

    def append(self, rows: Sequence[Sequence[Any]]) -> str:
        """Brings the rows to the disk; returns why that failed, or nothing."""
        failed = ""
        if rows:
            try:
                if self._file is None:
                    self._file = WriteAheadFile(self._place.write_ahead / file_name(self._log, self._number))
                    self._began = time.monotonic()
                self._file.append(rows)
                self._rows.add(rows)
            except Exception as error:
                # After a failed write nobody knows what is at the file's end: nothing more is appended to it.
                failed = f"{type(error).__name__}: {error}"
                self._turn()
        if self._file is not None and (
            time.monotonic() - self._began >= self._place.flush_s or self._rows.count >= ROWS_PER_FILE
        ):
            self._turn()
        return failed

    def stop(self) -> None:
        """Makes a segment of what is left, then ends; what the disk refuses stays in its write-ahead file."""
        self._turn()
        self._stopping.set()
        self._finished.put(None)
        self._thread.join()

    def _turn(self) -> None:
        if self._file is not None:
            self._file.close()
            self._finished.put((self._file, self._number, self._rows))
        self._file, self._rows = None, Gathered()
        self._number += 1

    def _make_segments(self) -> None:
        while (finished := self._finished.get()) is not None:
            file, number, rows = finished
            while rows.count and not self._keep(number, rows):
                if self._stopping.wait(self._place.flush_s):
                    return
            with contextlib.suppress(OSError):
                file.path.unlink()
