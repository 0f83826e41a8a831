"""Scored rows: a label, the champion's and the challenger's probability for each, and what is known about the row."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.errors import Fault, Invalid, said
from tasuki.stats.concern import Concern

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Column = npt.ArrayLike


@dataclass(frozen=True)
class Scored:
    """Columns as they come: nulls allowed, nothing checked yet. `clean` makes `Rows` of them.

    Args:
        labels: 0 or 1 (or booleans): what happened.
        champion: Probability of a 1 by the model that serves now.
        challenger: Probability of a 1 by the model that wants to, for the same rows.
        units: What is randomised online (a user), so that rows of one unit count as one draw; None: each row is a draw.
        times: When each row happened.
        segments: Further columns by whose values the comparison is repeated.
    """

    labels: Column
    champion: Column
    challenger: Column
    units: Column | None = None
    times: Column | None = None
    segments: Mapping[str, Column] = field(default_factory=dict)

    def named(self) -> dict[str, npt.NDArray[Any]]:
        """Every column that is there as an array, by the name that faults and concerns use."""
        columns: dict[str, Column | None] = {
            "label": self.labels,
            "champion": self.champion,
            "challenger": self.challenger,
            "unit": self.units,
            "time": self.times,
        }
        given = {name: np.asanyarray(column) for name, column in columns.items() if column is not None}
        return given | {f"segment {name}": np.asanyarray(column) for name, column in self.segments.items()}


@dataclass(frozen=True)
class Rows:
    """Checked rows without nulls: what the formulas work on."""

    labels: Floats
    champion: Floats
    challenger: Floats
    units: Codes | None = None
    times: npt.NDArray[Any] | None = None
    segments: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def positives(self) -> int:
        """How many labels are 1."""
        return int(self.labels.sum())

    def take(self, index: npt.NDArray[Any]) -> "Rows":
        """The rows at these places, without times and segments; units are numbered anew."""
        units = None if self.units is None else codes_of(self.units[index])
        return Rows(self.labels[index], self.champion[index], self.challenger[index], units)


def clean(scored: Scored) -> tuple[Rows, tuple[Concern, ...]]:
    """Checked rows; rows with a null label, probability, unit or time are left out and counted in a concern.

    Raises:
        Invalid: Columns of different length, no row at all, labels other than 0 and 1, probabilities outside [0, 1],
            columns that are not numbers: every fault at once, with how many rows have it.
    """
    columns = scored.named()
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        faults = [Fault(name, said("{count:,} rows", count=len(column))) for name, column in columns.items()]
        raise Invalid("the columns differ in length", faults, expected="one value per row in each")
    if lengths == {0}:
        raise Invalid("there are no rows to compare", next_step="name a file or table that has rows")
    faults = []
    numbers = {name: _as_numbers(columns[name], name, faults) for name in ("label", "champion", "challenger")}
    _check_ranges(numbers, faults)
    if faults:
        raise Invalid("the scored rows cannot be compared", faults)
    nulls = {name: np.isnan(column) for name, column in numbers.items()}
    nulls |= {name: _nulls(columns[name]) for name in ("unit", "time") if name in columns}
    return _without_nulls(scored, numbers, nulls)


def codes_of(values: npt.NDArray[Any]) -> Codes:
    """Whole numbers 0, 1, 2 … that are equal where the values are equal."""
    return encode(values)[0]


def encode(values: npt.NDArray[Any]) -> tuple[Codes, npt.NDArray[Any]]:
    """The values as whole numbers, and the different values themselves in the order of those numbers."""
    if values.dtype != object:
        different, codes = np.unique(values, return_inverse=True)
        return codes.astype(np.int64), different
    numbers: dict[Any, int] = {}
    codes = np.fromiter((numbers.setdefault(value, len(numbers)) for value in values), np.int64, len(values))
    return codes, np.array([*numbers, None], dtype=object)[:-1]


def _as_numbers(column: npt.NDArray[Any], name: str, faults: list[Fault]) -> Floats:
    if isinstance(column, np.ma.MaskedArray):
        filled: Floats = np.ma.filled(column.astype(np.float64), np.nan)
        return filled
    try:
        numbers: Floats = column.astype(np.float64)
    except (TypeError, ValueError):
        faults.append(
            Fault(
                name,
                said("not numbers (for example {first!r})", first=column[0]),
                "0 and 1" if name == "label" else "[0, 1]",
            )
        )
        return np.empty(0)
    return numbers


def _check_ranges(numbers: Mapping[str, Floats], faults: list[Fault]) -> None:
    labels = numbers["label"]
    strange = int(np.count_nonzero((labels != 0) & (labels != 1) & ~np.isnan(labels)))
    if strange:
        faults.append(
            Fault("label", said("{strange:,} rows are neither 0 nor 1", strange=strange), "0, 1, true or false")
        )
    for name in ("champion", "challenger"):
        outside = int(np.count_nonzero((numbers[name] < 0) | (numbers[name] > 1)))
        if outside:
            faults.append(
                Fault(
                    name,
                    said("{outside:,} rows are outside [0, 1]", outside=outside),
                    "probabilities, not scores or logits",
                )
            )


def _nulls(column: npt.NDArray[Any]) -> Flags:
    nulls: Flags = np.zeros(len(column), dtype=np.bool_)
    if isinstance(column, np.ma.MaskedArray):
        nulls = np.ma.getmaskarray(column)
    elif column.dtype.kind in "mM":
        nulls = np.isnat(column)
    elif column.dtype.kind == "f":
        nulls = np.isnan(column)
    elif column.dtype == object:
        nulls = np.array([_is_null(value) for value in column], dtype=np.bool_)
    return nulls


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _without_nulls(
    scored: Scored, numbers: Mapping[str, Floats], nulls: Mapping[str, Flags]
) -> tuple[Rows, tuple[Concern, ...]]:
    drop = np.logical_or.reduce(list(nulls.values()))
    dropped = int(np.count_nonzero(drop))
    if dropped == len(drop):
        raise Invalid("every row has a null label, probability, unit or time", next_step="fill the columns or filter")
    keep: Any = ~drop if dropped else slice(None)
    rows = Rows(
        numbers["label"][keep],
        numbers["champion"][keep],
        numbers["challenger"][keep],
        None if scored.units is None else codes_of(np.asarray(scored.units)[keep]),
        None if scored.times is None else _moments(np.asarray(scored.times)[keep]),
        {name: _unmasked(np.asanyarray(column)[keep]) for name, column in scored.segments.items()},
    )
    if not dropped:
        return rows, ()
    by_column = ", ".join(f"{name} {np.count_nonzero(flags):,}" for name, flags in nulls.items() if flags.any())
    message = f"{dropped:,} of {len(drop):,} rows have a null and were left out ({by_column})"
    return rows, (
        Concern(
            "nulls_dropped", "warning", message, {"dropped": int(dropped), "rows": len(drop), "columns": by_column}
        ),
    )


def _unmasked(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not isinstance(column, np.ma.MaskedArray):
        return column
    plain: npt.NDArray[Any] = column.data.astype(object)
    plain[np.ma.getmaskarray(column)] = None
    return plain


def _moments(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if column.dtype.kind in "iufM":
        return column
    try:
        return column.astype("datetime64[us]")
    except ValueError as error:
        fault = Fault("time", said("not moments ({error})", error=error), "timestamps, ISO 8601 text or numbers")
        raise Invalid("the time column cannot be read", [fault]) from error
