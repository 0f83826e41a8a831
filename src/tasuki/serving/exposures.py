"""The exposure log: every answer with its inputs, kept as Parquet segments that are whole or not there.

Answers wait in memory for at most `FLUSH_S` seconds; a segment is written under a temporary name, brought to the disk
and renamed. A process that is killed loses at most the answers of the last second; one that is stopped loses none.
"""

import contextlib
import os
import secrets
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from tasuki.clock import Clock
from tasuki.store.files import sync_folder

FLUSH_S = 0.5
LARGEST_BACKLOG = 200_000
"""Answers that may wait for the disk; beyond it requests are told to come again."""
ROWS_PER_SEGMENT = 100_000


@dataclass(frozen=True)
class ExposureBatch:
    """The exposures of one request: what is the same for all, and one sequence per column.

    `features` are either one mapping per row, or one sequence per name.
    """

    at: datetime
    model: str
    experiment: str | None
    exposures: Sequence[str]
    units: Sequence[str]
    arms: Sequence[str]
    versions: Sequence[str | None]
    scores: Sequence[float]
    fallbacks: Sequence[bool]
    reasons: Sequence[str | None]
    latencies_us: Sequence[int]
    features: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(self.exposures)


class ExposureLog:
    """Takes batches from requests and writes them in a thread of its own.

    Args:
        folder: Where the segments lie.
        clock: For the names of segments.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._prefix = f"{clock().strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
        self._waiting: deque[ExposureBatch] = deque()
        self._lock = threading.Lock()
        self._rows = 0
        self._segment = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="exposure-log", daemon=True)
        self.written = 0
        self.error = ""

    def start(self) -> None:
        """Begins to write. Raises `OSError` when the folder cannot be made."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Answers that are not on the disk yet."""
        return self._rows

    def has_room(self, rows: int) -> bool:
        """Whether so many more answers may wait."""
        return self._rows + rows <= LARGEST_BACKLOG

    def add(self, batch: ExposureBatch) -> None:
        """Takes the exposures of a request. Never waits for the disk."""
        with self._lock:
            self._waiting.append(batch)
            self._rows += len(batch)

    def stop(self) -> None:
        """Writes what waits, then ends."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            stopping = self._stop.wait(FLUSH_S)
            failed = not self._flush()
            if stopping and (failed or not self._rows):
                return

    def _flush(self) -> bool:
        """Writes all that waits; on a disk that fails it stays in memory for the next try."""
        while self._rows:
            batches = self._take()
            try:
                self._write(batches)
            except OSError as error:
                self.error = f"{type(error).__name__}: {error}"
                return False
            self.error = ""
            rows = sum(map(len, batches))
            with self._lock:
                for _ in batches:
                    self._waiting.popleft()
                self._rows -= rows
            self.written += rows
        return True

    def _take(self) -> list[ExposureBatch]:
        with self._lock:
            taken, rows = [], 0
            for batch in self._waiting:
                taken.append(batch)
                rows += len(batch)
                if rows >= ROWS_PER_SEGMENT:
                    break
            return taken

    def _write(self, batches: Sequence[ExposureBatch]) -> None:
        import pyarrow.parquet as pq

        final = self._folder / f"exposures-{self._prefix}-{self._segment:06d}.parquet"
        draft = final.with_name(f".{final.name}.tmp")
        try:
            with draft.open("wb") as file:
                pq.write_table(_table(batches), file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            draft.rename(final)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        sync_folder(self._folder)
        self._segment += 1


def _table(batches: Sequence[ExposureBatch]) -> Any:
    import pyarrow as pa

    def column(name: str, kind: Any) -> Any:
        return pa.array([value for batch in batches for value in getattr(batch, name)], kind)

    def same(name: str, kind: Any) -> Any:
        return pa.array([getattr(batch, name) for batch in batches for _ in range(len(batch))], kind)

    text = pa.string()
    features = [encoded for batch in batches for encoded in _encoded(batch)]
    return pa.table(
        {
            "exposure": column("exposures", text),
            "at": same("at", pa.timestamp("us", tz="UTC")),
            "experiment": same("experiment", text),
            "model": same("model", text),
            "unit": column("units", text),
            "arm": column("arms", text),
            "version": column("versions", text),
            "score": column("scores", pa.float64()),
            "fallback": column("fallbacks", pa.bool_()),
            "reason": column("reasons", text),
            "latency_us": column("latencies_us", pa.int64()),
            "features": pa.array(features, text),
        }
    )


def _encoded(batch: ExposureBatch) -> list[str]:
    encode = msgspec.json.encode
    if isinstance(batch.features, Mapping):
        names = list(batch.features)
        rows = zip(*batch.features.values(), strict=True)
        return [encode(dict(zip(names, row, strict=True))).decode() for row in rows]
    return [encode(row).decode() for row in batch.features]
