"""The event logs of the world as Parquet: written in chunks to a temporary name, then renamed."""

from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasuki.samples.exchange import World

_MOMENT = pa.timestamp("us", tz="UTC")
IMPRESSIONS = pa.schema(
    [
        ("at", _MOMENT),
        ("user", pa.string()),
        ("app", pa.string()),
        ("slot", pa.string()),
        ("os", pa.string()),
        ("minutes_since_last", pa.float64()),
        ("bid", pa.float64()),
        ("price", pa.float64()),
        ("clicked", pa.bool_()),
        ("clicked_at", _MOMENT),
        ("installed", pa.bool_()),
        ("installed_at", _MOMENT),
    ]
)
"""The training log: won impressions. `bid` and `price` in fen per thousand impressions."""

OUTCOMES = pa.schema(
    [
        ("exposure", pa.string()),
        ("at", _MOMENT),
        ("unit", pa.string()),
        ("arm", pa.string()),
        ("bid", pa.float64()),
        ("won", pa.bool_()),
        ("price", pa.float64()),
        ("clicked", pa.bool_()),
        ("clicked_at", _MOMENT),
        ("installed", pa.bool_()),
        ("installed_at", _MOMENT),
        ("spend", pa.float64()),
        ("value", pa.float64()),
        ("os", pa.string()),
    ]
)
"""What became of every answered opportunity. `price` is null where the auction was lost; spend and value in fen."""


class LogWriter:
    """Writes one Parquet file in chunks. The file appears under its name only when all of it is there.

    Use as a context: an exception inside leaves no file behind.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._partial = path, path.with_name(f".{path.name}.partial")
        self._schema = schema
        self._writer = pq.ParquetWriter(self._partial, schema, compression="zstd")

    def __enter__(self) -> "LogWriter":
        return self

    def write(self, columns: dict[str, pa.Array]) -> None:
        """Adds rows."""
        self._writer.write_table(pa.table(columns, schema=self._schema))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.close()
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink()


def moments(world: World, seconds: NDArray[np.float64]) -> pa.Array:
    """Seconds from the world's start as timestamps; NaN as null."""
    missing = np.isnan(seconds)
    microseconds = np.rint(np.where(missing, 0.0, seconds) * 1e6).astype(np.int64)
    return pa.array(microseconds + round(world.start.timestamp() * 1e6), type=_MOMENT, mask=missing)


def names(values: tuple[str, ...] | NDArray[np.str_], codes: NDArray[np.integer]) -> pa.Array:
    """Codes as the texts they stand for."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(list(values))).cast(pa.string())
