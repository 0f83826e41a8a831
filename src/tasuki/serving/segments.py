"""Exposures as Parquet: a segment is written under a draft's name and renamed once it is on the disk, whole or not."""

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime
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


def write_segment(final: Path, rows: Sequence[Sequence[Any]]) -> None:
    """Writes exposures as one segment and waits until it is on the disk.

    Raises:
        OSError: When the disk refuses; then nothing of the segment is left.
    """
    import pyarrow.parquet as pq

    draft = draft_of(final)
    try:
        with draft.open("wb") as file:
            pq.write_table(
                _table(rows),
                file,
                compression="zstd",
                compression_level=1,
                use_dictionary=_REPEATED,
                write_statistics=["at", *_REPEATED],
            )
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


def _table(rows: Sequence[Sequence[Any]]) -> Any:
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
