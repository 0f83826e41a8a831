"""Exposures as Parquet: a segment is written under a draft's name and renamed once it is on the disk, whole or not."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, NamedTuple

from tasuki.store.files import sync_folder

ENDING = ".parquet"


class Exposure(NamedTuple):
    """One answer as it is logged; the fields are the segment's columns, in order.

    `features` is the JSON text of the inputs that the answer was made from.
    """

    exposure: str
    at: datetime
    experiment: str | None
    model: str
    unit: str
    arm: str
    version: str | None
    score: float
    fallback: bool
    reason: str | None
    latency_us: int
    features: str


_REPEATED = ["experiment", "model", "arm", "version", "reason"]
"""The columns that hold few distinct values; the others gain nothing from a dictionary and would pay for it."""
_FORM: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": _REPEATED,
    "write_statistics": ["at", *_REPEATED],
}

ROWS_AT_ONCE = 512
"""So many rows become Arrow together: few enough that they are still in the processor's cache."""


ROWS_AT_A_STRETCH = 1024
"""So many rows are compressed without a rest where there are rests: two or three milliseconds."""


class Gathered:
    """Exposures on their way to a segment; turned into Arrow early, which takes less memory and time than later."""

    def __init__(self) -> None:
        self._rows: list[Sequence[Any]] = []
        self._tables: list[Any] = []
        self.count = 0
        self.text_bytes = 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Takes rows, the fields of `Exposure` in order."""
        self._rows += rows
        self.count += len(rows)
        self.text_bytes += sum(len(row[-1]) for row in rows)
        if len(self._rows) >= ROWS_AT_ONCE:
            self._turn()

    def table(self) -> Any:
        """All of them as one Arrow table."""
        import pyarrow as pa

        self._turn()
        return pa.concat_tables(self._tables)

    def _turn(self) -> None:
        if self._rows:
            self._tables.append(table_of(self._rows))
            self._rows = []


def write_segment(final: Path, table: Any, *, rest_s: float = 0.0) -> None:
    """Writes exposures as one segment and waits until it is on the disk.

    Args:
        final: The segment's file.
        table: An Arrow table, as `table_of` makes it.
        rest_s: Seconds of rest after each thousand rows, so that the processor is not taken from requests for long.

    Raises:
        OSError: When the disk refuses; then nothing of the segment is left.
    """
    import pyarrow.parquet as pq

    draft = draft_of(final)
    try:
        with draft.open("wb") as file:
            with pq.ParquetWriter(file, table.schema, **_FORM) as writer:
                size = ROWS_AT_A_STRETCH if rest_s else max(table.num_rows, 1)
                for start in range(0, table.num_rows, size):
                    writer.write_table(table.slice(start, size))
                    time.sleep(rest_s)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(final)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    sync_folder(final.parent)


def draft_of(final: Path) -> Path:
    """The name under which a segment is written."""
    return final.with_name(f".{final.name}.tmp")


def prepare_arrow() -> None:
    """Makes Arrow ready before the first request, in a process that only serves.

    Arrow looks for pandas when it makes its first array, and loads it: half a second and 40 MB, which nothing here
    needs. So pandas is hidden for that moment.
    """
    import pyarrow.parquet  # noqa: F401

    sys.meta_path.insert(0, _WITHOUT_PANDAS)
    try:
        table_of([Exposure("", datetime.now(UTC), None, "", "", "", None, 0.0, False, None, 0, "")])
    finally:
        sys.meta_path.remove(_WITHOUT_PANDAS)


class _WithoutPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ImportError("hidden while Arrow is made ready")


_WITHOUT_PANDAS = _WithoutPandas()


def table_of(rows: Sequence[Sequence[Any]]) -> Any:
    """Exposures as an Arrow table."""
    import pyarrow as pa

    text = pa.string()
    kinds = dict.fromkeys(Exposure._fields, text) | {
        "at": pa.timestamp("us", tz="UTC"),
        "score": pa.float64(),
        "fallback": pa.bool_(),
        "latency_us": pa.int64(),
    }
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(values, kinds[name]) for name, values in zip(kinds, columns, strict=True)})
