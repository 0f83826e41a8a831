"""The exposure log: every answer with its inputs, kept as Parquet segments that are whole or not there.

By default answers wait in memory until the next segment: a process that is killed loses at most the answers of the last
`flush_s` seconds and of the segment being written; one that is stopped loses none. A durable log brings each answer to
the disk before it is sent (`tasuki.serving.write_ahead`), many answers with one write: nothing acknowledged is lost.
"""

import asyncio
import contextlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tasuki.clock import Clock
from tasuki.errors import Unavailable
from tasuki.serving.durable import DurableWriter
from tasuki.serving.segments import Exposure, Gathered, write_segment
from tasuki.serving.write_ahead import Claim, finish_abandoned, segment_name

FLUSH_S = 0.5
LARGEST_BACKLOG = 200_000
"""Exposures that may wait for the disk; beyond it requests are told to come again."""
LARGEST_BACKLOG_BYTES = 64 * 1024 * 1024
"""Bytes of request bodies that those exposures may keep."""
ROWS_PER_SEGMENT = 100_000
REST_S = 0.003
"""The rest after each thousand rows of a segment, unless the log falls behind or is told to stop."""
GATHER_S = 0.05
"""How often waiting exposures are taken out of the requests' queue."""


@dataclass(frozen=True)
class LogPlace:
    """Where the exposures are kept, and how.

    Args:
        segments: The folder of the Parquet segments.
        write_ahead: The folder of write-ahead files and of the locks of the logs that are open.
        durable: Whether an answer waits until its exposure is on the disk.
        flush_s: Seconds after which waiting exposures become a segment.
        replay_time: For replays: the feature whose moment an exposure carries; None for the present moment.
    """

    segments: Path
    write_ahead: Path
    durable: bool = False
    flush_s: float = FLUSH_S
    replay_time: str | None = None

    @classmethod
    def of(cls, workspace: Path, *, durable: bool = False, flush_s: float = FLUSH_S) -> "LogPlace":
        """Where a workspace keeps its exposures."""
        return cls(workspace / "logs" / "exposures", workspace / "serving" / "write-ahead", durable, flush_s)


class ExposureLog:
    """Takes exposures from requests, which never wait for the lock of a disk, and writes them in threads of its own.

    `add` and `on_disk` belong to one thread, the requests'.

    Args:
        place: Where the segments lie.
        clock: For the names of segments.
    """

    def __init__(self, place: LogPlace, clock: Clock) -> None:
        self.place = place
        self.name = f"{clock().strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
        self._waiting: deque[Sequence[Any]] = deque()
        self._number, self._gathered = 0, Gathered()
        # Each counter has one thread that adds to it, so none needs a lock.
        self._added = self._added_bytes = 0
        self._gone = self._gone_bytes = 0
        self._group: asyncio.Future[None] | None = None
        self._group_lock = threading.Lock()
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._stop = threading.Event()
        run = self._commit_groups if place.durable else self._write_segments
        self._thread = threading.Thread(target=run, name="exposure-log", daemon=True)
        self._claim: Claim | None = None
        self.written = 0
        self.refused = 0
        self.recovered = 0
        self.error = ""

    def start(self) -> None:
        """Finishes what killed processes left, and begins to write.

        Raises:
            OSError: When the folders cannot be used.
        """
        self.place.segments.mkdir(parents=True, exist_ok=True)
        self.place.write_ahead.mkdir(parents=True, exist_ok=True)
        self.recovered = finish_abandoned(self.place.write_ahead, self.place.segments)
        self._claim = Claim(self.place.write_ahead, self.name)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Exposures that are in no segment yet."""
        return self._added - self._gone

    def has_room(self, rows: int) -> bool:
        """Whether so many more exposures may wait."""
        waits = self._added_bytes - self._gone_bytes
        return self._added - self._gone + rows <= LARGEST_BACKLOG and waits <= LARGEST_BACKLOG_BYTES

    def add(self, row: Sequence[Any]) -> None:
        """Takes one exposure: the fields of `Exposure`, in order."""
        self._waiting.append(row)
        self._added += 1
        self._added_bytes += len(row[-1])

    def add_all(self, rows: Iterable[Exposure]) -> None:
        """Takes the exposures of a request with many rows."""
        for row in rows:
            self.add(row)

    def on_disk(self) -> asyncio.Future[None]:
        """Done when everything added so far is on the disk; for a durable log.

        It fails with `Unavailable` when the disk refuses: then what was added since the last one is not kept.
        """
        with self._group_lock:
            group = self._group
            if group is None:
                group = self._group = asyncio.get_running_loop().create_future()
                self._wake.put(True)
        return group

    def stop(self) -> None:
        """Writes what waits, then ends."""
        self._stop.set()
        self._wake.put(True)
        self._thread.join()
        left = any(self.place.write_ahead.glob(f"{self.name}-*"))
        if self._claim is not None and not left:
            self._claim.release()

    def _commit_groups(self) -> None:
        """The thread of a durable log: whenever somebody waits, all that was added goes to the disk with one write."""
        writer = DurableWriter(self.place, self.name, self._keep)
        stopping = False
        while not stopping or self._waiting:
            stopping = self._stop.is_set()
            with contextlib.suppress(Empty):
                self._wake.get(timeout=self.place.flush_s)
            with self._group_lock:
                group, self._group = self._group, None
            # Whoever holds the group added its exposure before it asked for it, so it is among these.
            rows = self._take(len(self._waiting))
            failed = writer.append(rows)
            if failed:
                self.error = failed
                self.refused += len(rows)
                self._gone_bytes += sum(len(row[-1]) for row in rows)
                self._gone += len(rows)
            if group is not None:
                with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                    group.get_loop().call_soon_threadsafe(_settle, group, failed)
        writer.stop()

    def _take(self, most: int) -> list[Sequence[Any]]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(len(waiting), most))]

    def _keep(self, number: int, rows: Gathered) -> bool:
        """Writes a segment; when that fails, for whatever reason, says so and keeps the rows."""
        try:
            hurry = self._stop.is_set() or rows.count >= ROWS_PER_SEGMENT
            final = self.place.segments / segment_name(self.name, number)
            write_segment(final, rows.table(), rest_s=0.0 if hurry else REST_S)
        except Exception as error:  # a thread that ended here would leave the service answering unlogged
            self.error = f"{type(error).__name__}: {error}"
            return False
        self.error = ""
        self._gone_bytes += rows.text_bytes
        self._gone += rows.count
        self.written += rows.count
        return True

    def _write_segments(self) -> None:
        """The thread of a log that is not durable: gathers often, and makes a segment at every interval."""
        began, stopping = time.monotonic(), False
        while not stopping:
            stopping = self._stop.wait(min(GATHER_S, self.place.flush_s))
            try:
                self._gather()
                due = time.monotonic() - began >= self.place.flush_s or self._gathered.count >= ROWS_PER_SEGMENT
                if due or stopping:
                    began = time.monotonic()
                    while self._flush() and stopping:
                        pass  # once told to stop, until nothing waits
            except Exception as error:  # shown, and the backlog it leaves ends in 503: never silently unlogged
                self.error = f"{type(error).__name__}: {error}"

    def _gather(self) -> None:
        if self._gathered.count < ROWS_PER_SEGMENT:  # a disk that refuses must not make one that never ends
            self._gathered.add(self._take(ROWS_PER_SEGMENT))

    def _flush(self) -> bool:
        """Makes a segment of what waits; says whether there is one. What a disk refuses stays in memory.

        What comes meanwhile waits for its own turn: else there would be a segment, and a sync, every few milliseconds.
        """
        self._gather()
        if not self._gathered.count or not self._keep(self._number, self._gathered):
            return False
        self._number, self._gathered = self._number + 1, Gathered()
        return True


def _settle(group: asyncio.Future[None], failed: str) -> None:
    if group.done():
        return
    if failed:
        group.set_exception(Unavailable(f"the exposure could not be kept: {failed}"))
    else:
        group.set_result(None)
