"""A real log in the workspace's own columns: what its mapping says, applied to its columns."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasuki.errors import Fault, Invalid
from tasuki.samples.mapping import FeatureColumn, LogMapping, TimeColumn
from tasuki.stats.concern import Concern

Column = NDArray[Any]
_MOMENT = pa.timestamp("us", tz="UTC")
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class LogTable:
    """The impressions of a real log, sorted by time, and doubts about them."""

    table: pa.Table
    concerns: tuple[Concern, ...]


def impressions_of(mapping: LogMapping, columns: Mapping[str, Column]) -> LogTable:
    """The log as the workspace's impressions table: `at`, `user`, the features, the label and what else is mapped.

    Raises:
        Invalid: Moments, labels, units or numbers that cannot be read: every fault at once, with how many rows have it.
    """
    faults: list[Fault] = []
    at = _moments(mapping.time, mapping.time.column, columns[mapping.time.column], faults, nullable=False)
    label = _labels(mapping, columns, faults)
    told_at = mapping.label.time
    known_at = None if told_at is None else _moments(mapping.time, told_at, columns[told_at], faults, nullable=True)
    unit = _units(mapping, columns, faults)
    numbers = {
        feature.name: _numbers(feature.sources[0], columns, faults)
        for feature in mapping.features
        if feature.type == "number"
    }
    if faults:
        raise Invalid(f"the log {mapping.name} does not fit its mapping", faults)
    order = np.argsort(at, kind="stable")
    ordered = {name: column[order] for name, column in columns.items()}
    at, label, unit = at[order], label[order], unit[order]
    known_at = None if known_at is None else known_at[order]
    made = {"at": pa.array(at, _MOMENT), "user": pa.array(unit.tolist(), pa.string())}
    for feature in mapping.features:
        made[feature.name] = _feature(feature, ordered, numbers.get(feature.name), order)
    made |= _label_columns(mapping, label, known_at)
    made |= _logged_columns(mapping, ordered)
    return LogTable(pa.table(made), _doubts(at, label, known_at))


def _moments(time: TimeColumn, name: str, values: Column, faults: list[Fault], *, nullable: bool) -> Column:
    """A column as moments in UTC; rows that cannot be read are one fault."""
    moments = _parsed(time, values)
    wrong = np.isnat(moments)
    if nullable:
        wrong &= ~_nulls(values)
    if wrong.any():
        faults.append(_fault(name, "no moment", values, wrong, f"moments in the format {time.format!r}"))
    return moments


def _parsed(time: TimeColumn, values: Column) -> Column:
    if values.dtype.kind == "M":
        # The engine knew the type: with a zone it is UTC already, without one it is the log's own clock.
        known: Column = values.astype("datetime64[us]") - _offset(time)
        return known
    if time.format in {"unix_s", "unix_ms"} and values.dtype.kind in "iuf":
        missing = _nulls(values)
        micro = np.where(missing, 0, values) * (1_000_000 if time.format == "unix_s" else 1_000)
        moments = np.rint(micro).astype(np.int64).astype("datetime64[us]")
        moments[missing] = np.datetime64("NaT")
        return np.asarray(moments)
    read = cache(_reader(time))
    return np.array([read(value) for value in values.tolist()], dtype="datetime64[us]")


def _nulls(values: Column) -> NDArray[np.bool_]:
    match values.dtype.kind:
        case "M":
            return np.isnat(values)
        case "f":
            return np.isnan(values)
        case "O":
            return np.array([value is None or value == "" for value in values.tolist()], dtype=np.bool_)
    return np.zeros(len(values), dtype=np.bool_)


def _reader(time: TimeColumn) -> Callable[[object], datetime | None]:
    offset = _offset(time).astype("timedelta64[us]").item()

    def read(value: object) -> datetime | None:
        text = "" if value is None else str(value)
        try:
            moment = datetime.fromisoformat(text) if time.format == "iso" else datetime.strptime(text, time.format)
        except ValueError:
            return None
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment - offset

    return read


def _offset(time: TimeColumn) -> np.timedelta64:
    return np.timedelta64(round(time.utc_offset_hours * 3_600_000_000), "us")


def _labels(mapping: LogMapping, columns: Mapping[str, Column], faults: list[Fault]) -> NDArray[np.bool_]:
    values = columns[mapping.label.column]
    numbers = _as_floats(values)
    wrong = ~np.isin(numbers, (0.0, 1.0))
    if wrong.any():
        faults.append(_fault(mapping.label.column, "neither 0 nor 1", values, wrong, "0, 1, true or false"))
    happened: NDArray[np.bool_] = numbers == 1.0
    return happened


def _units(mapping: LogMapping, columns: Mapping[str, Column], faults: list[Fault]) -> Column:
    texts = [_texts(columns[name]) for name in mapping.unit.columns]
    for name in mapping.unit.columns:
        missing = _nulls(columns[name])
        if missing.any():
            faults.append(_fault(name, "null", columns[name], missing, "a unit in every row"))
    joined = [":".join(map(str, parts)) for parts in zip(*texts, strict=True)]
    if mapping.unit.hashed:
        joined = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in joined]
    return np.array(joined, dtype=object)


def _texts(values: Column) -> list[str | None]:
    if values.dtype.kind == "f":
        return [None if math.isnan(value) else f"{value:.15g}" for value in values.tolist()]
    return [None if value is None else str(value) for value in values.tolist()]


def _numbers(name: str, columns: Mapping[str, Column], faults: list[Fault]) -> NDArray[np.float64]:
    values = columns[name]
    numbers = _as_floats(values)
    wrong = ~np.isfinite(numbers) & ~_nulls(values)
    if wrong.any():
        faults.append(_fault(name, "no finite number", values, wrong, "numbers"))
    return numbers


def _as_floats(values: Column) -> NDArray[np.float64]:
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    return np.array([_float(value) for value in values.tolist()], dtype=np.float64)


def _float(value: object) -> float:
    text = str(value).strip().lower()
    try:
        return {"true": 1.0, "false": 0.0}.get(text, float("nan")) if text in {"true", "false"} else float(text)
    except ValueError:
        return float("nan")


def _feature(
    feature: FeatureColumn, ordered: Mapping[str, Column], numbers: NDArray[np.float64] | None, order: Column
) -> pa.Array:
    if numbers is not None:
        found = numbers[order]
        return pa.array(found, pa.float64(), mask=np.isnan(found))
    texts = [_texts(ordered[name]) for name in feature.sources]
    if feature.type == "earlier_rows":
        return pa.array(earlier_rows(list(zip(*texts, strict=True))), pa.float64())
    if len(texts) == 1:
        return pa.array(texts[0], pa.string())
    return pa.array([":".join("" if part is None else part for part in parts) for parts in zip(*texts, strict=True)])


def earlier_rows(keys: Sequence[object]) -> NDArray[np.float64]:
    """For each row how many rows before it have the same key; rows are in the order of time."""
    seen: dict[object, int] = {}
    counts = np.empty(len(keys))
    for place, key in enumerate(keys):
        counts[place] = seen.get(key, 0)
        seen[key] = seen.get(key, 0) + 1
    return counts


def _label_columns(mapping: LogMapping, label: NDArray[np.bool_], known_at: Column | None) -> dict[str, pa.Array]:
    name = mapping.label_name
    if known_at is None:
        return {name: pa.array(label), f"{name}_at": pa.nulls(len(label), _MOMENT)}
    return {name: pa.array(label), f"{name}_at": pa.array(known_at, _MOMENT, mask=np.isnat(known_at) | ~label)}


def _logged_columns(mapping: LogMapping, ordered: Mapping[str, Column]) -> dict[str, pa.Array]:
    logged = mapping.logged
    texts = {"action": logged.action, "position": logged.position}
    numbers = {"price": mapping.price, "propensity": logged.propensity}
    made = {name: pa.array(_texts(ordered[column]), pa.string()) for name, column in texts.items() if column}
    for name, column in numbers.items():
        if column:
            values = _as_floats(ordered[column])
            made[name] = pa.array(values, pa.float64(), mask=np.isnan(values))
    return made


def _doubts(at: Column, label: NDArray[np.bool_], known_at: Column | None) -> tuple[Concern, ...]:
    found = []
    positives = int(label.sum())
    if positives < 100:
        found.append(Concern("few_positives", "warning", f"only {positives:,} positives: intervals will be wide"))
    if known_at is not None:
        early = int(np.count_nonzero(label & (known_at < at)))
        if early:
            found.append(Concern("label_before_row", "warning", f"{early:,} labels are older than their row"))
        without = int(np.count_nonzero(label & np.isnat(known_at)))
        if without:
            found.append(Concern("label_without_time", "warning", f"{without:,} positives do not say when they came"))
        odd = int(np.count_nonzero(~label & ~np.isnat(known_at)))
        if odd:
            found.append(Concern("time_without_label", "warning", f"{odd:,} negatives have the time of a label"))
    return tuple(found)


def _fault(where: str, what: str, values: Column, wrong: NDArray[np.bool_], expected: str) -> Fault:
    rows = np.flatnonzero(wrong)
    shown = ", ".join(f"row {row + 1}: {str(values[row])!r}" for row in rows[:_SHOWN])
    return Fault(where, f"{len(rows):,} rows are {what} ({shown})", expected)
