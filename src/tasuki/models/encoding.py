"""Features as numbers, by the same steps for a table of training rows and for the one row of a request.

Each feature turns a row into a *key*, a short text such as `app=news` or `minutes_since_last#3`. Linear models hash the
key into one of `buckets` slots (MurmurHash3 x86 32-bit of its UTF-8 bytes, unsigned, modulo buckets; no sign, so that
two keys in one slot share a weight and every other key is exact). Trees take the key's code in a vocabulary that was
learned in training. A column of a table goes through the same key function, once per distinct value.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import mmh3
import numpy as np
import numpy.typing as npt

from tasuki.models.features import Category, Cross, Feature, HourOfDay, InputType, Number, TimePart

Column = npt.NDArray[Any]
RawValue = str | int | float | bool | datetime | None
NULL = "\x00"
"""How a null is written in a key."""

_SEPARATOR = "\x1f"
_COUNT = "a whole number from 0"


class WrongValue(ValueError):
    """A value that a feature cannot take. `column` names it; `expected` says what would have been right."""

    def __init__(self, column: str, what: str, expected: str) -> None:
        super().__init__(f"{column}: {what} (expected {expected})")
        self.column = column
        self.what = what
        self.expected = expected


def category_text(column: str, value: object, nullable: bool) -> str:
    """A category as the text that is hashed: 3, 3.0 and "3" are the same, true is "true", null only where allowed.

    The text that null is written as is refused: the two would be one category.
    """
    match value:
        case str():
            if value == NULL:
                raise WrongValue(column, "is the one character U+0000, which stands for null", "null, or another text")
            return value
        case bool() | np.bool_():
            return "true" if value else "false"
        case int() | np.integer():
            return str(int(value))
        case float() | np.floating():
            if math.isnan(value):
                return _null(column, nullable)
            return str(int(value)) if float(value).is_integer() else repr(float(value))
        case None:
            return _null(column, nullable)
    raise WrongValue(column, f"a {type(value).__name__} is no category", "a text, a number or true/false")


def number_value(column: str, value: object, nullable: bool) -> float:
    """A number as a float; NaN stands for a null where that is allowed."""
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            given = float(value)
        except OverflowError:
            raise WrongValue(column, "the number is too large", "a finite number") from None
        if math.isfinite(given):
            return given
        if math.isinf(given):
            raise WrongValue(column, "the number is infinite", "a finite number")
        value = None
    if value is None:
        _null(column, nullable)
        return math.nan
    raise WrongValue(column, f"a {type(value).__name__} is no number", "a number")


def count_value(column: str, value: object, nullable: bool) -> float:
    """A count as a float: a whole number from 0, also when it is given as 3.0; NaN for a null where that is allowed."""
    given = number_value(column, value, nullable)
    if not (math.isnan(given) or (given >= 0 and given.is_integer())):
        raise WrongValue(column, f"{given:g} is no count", _COUNT)
    return given


def moment_value(column: str, value: object, nullable: bool) -> datetime | None:
    """A moment from ISO 8601 text with a time zone, or from a table's own timestamp."""
    if value is None:
        _null(column, nullable)
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise WrongValue(column, "the text is no moment", "ISO 8601, as 2026-04-01T09:00:00Z") from None
    if not isinstance(value, datetime):
        raise WrongValue(column, f"a {type(value).__name__} is no moment", "ISO 8601 text with a time zone")
    if value.tzinfo is None:
        raise WrongValue(column, "the moment has no time zone", "an offset or Z at its end")
    if not 1 < value.year < 9999:
        raise WrongValue(column, "the moment is out of range", "a year from 2 to 9998")
    return value.astimezone(UTC)


def key_of(feature: Feature, row: Mapping[str, RawValue]) -> str:
    """The key of one row. For a number without bins it only says whether the number is there.

    Raises:
        WrongValue: When a value has the wrong type, is null where it must not be, or is not finite.
    """
    return keyer(feature)(*(row[column] for column, _ in feature.inputs))


def keyer(feature: Feature) -> Callable[..., str]:
    """The function from a feature's raw values, in the order of its inputs, to its key."""
    match feature:
        case Category(column, _, nullable):
            start = f"{column}="
            return lambda value: (
                start + (value if type(value) is str and value != NULL else category_text(column, value, nullable))
            )
        case Cross(columns, _, nullable):
            return _cross_keyer(columns, nullable)
        case HourOfDay(column, offset, _, nullable):
            return _hour_keyer(column, offset, nullable)
        case TimePart():
            return _part_keyer(feature)
        case Number(column, bins, _, nullable):
            return _number_keyer(column, bins, nullable)


def slot_of(key: str, seed: int, buckets: int) -> int:
    """The slot of a key in the hash table that the categories of a linear model share."""
    return int(mmh3.hash(key, seed & 0xFFFFFFFF, signed=False) % buckets)


def codes_and_keys(feature: Feature, columns: Mapping[str, Column]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Each row's code, and the key of each code: the batch form of `key_of`, one key function call per distinct value.

    Raises:
        WrongValue: As `key_of`.
    """
    match feature:
        case HourOfDay(column):
            return _hour_codes(feature, as_moments(column, columns[column], feature.nullable))
        case TimePart(column):
            return _part_codes(feature, as_moments(column, columns[column], feature.nullable))
        case Number(column):
            return _number_codes(feature, as_numbers(column, columns[column], feature.nullable))
    codes = np.zeros(len(columns[feature.inputs[0][0]]), dtype=np.int64)
    rows: list[tuple[str | None, ...]] = [()]
    for column, _ in feature.inputs:
        more, texts = distinct_texts(column, columns[column], feature.nullable)
        # One key per combination that occurs, whatever the number of combinations that could.
        seen, codes = np.unique(codes * len(texts) + more, return_inverse=True)
        rows = [(*rows[at // len(texts)], texts[at % len(texts)]) for at in seen.tolist()]
    make = keyer(feature)
    return codes.astype(np.int64), [make(*row) for row in rows]


def distinct_texts(column: str, values: Column, nullable: bool) -> tuple[npt.NDArray[np.int64], list[str | None]]:
    """A column of categories as codes into its distinct texts; None where null."""
    if values.dtype.kind in "iufb":
        seen, codes = np.unique(values, return_inverse=True)
        raw: list[object] = seen.tolist()
    else:
        places: dict[object, int] = {}
        try:
            found = [places.setdefault(value, len(places)) for value in _without_booleans(values.tolist())]
        except TypeError:
            raise WrongValue(column, "holds lists or objects", "a text, a number or true/false") from None
        raw, codes = list(places), np.asarray(found, dtype=np.int64)
    texts = [None if is_null(value) else category_text(column, value, nullable) for value in raw]
    if None in texts:
        _null(column, nullable)
    return codes.astype(np.int64), texts


def _without_booleans(values: list[Any]) -> list[Any]:
    """The values with true and false as texts: Python's `True == 1` must not make them one category."""
    if bool not in set(map(type, values)):
        return values
    return [("true" if value else "false") if isinstance(value, bool) else value for value in values]


def as_numbers(column: str, values: Column, nullable: bool) -> npt.NDArray[np.float64]:
    """A column of numbers as floats, NaN where null."""
    if values.dtype.kind in "iuf":
        numbers = values.astype(np.float64)
    elif values.dtype.kind == "O":
        numbers = np.asarray([number_value(column, value, nullable) for value in values.tolist()], dtype=np.float64)
    else:
        raise WrongValue(column, f"{values.dtype} values are no numbers", "numbers")
    if np.isinf(numbers).any():
        raise WrongValue(column, "the number is infinite", "finite numbers")
    if np.isnan(numbers).any():
        _null(column, nullable)
    return numbers


def as_counts(column: str, values: Column, nullable: bool) -> npt.NDArray[np.float64]:
    """A column of counts as floats, NaN where null."""
    numbers = as_numbers(column, values, nullable)
    wrong = (numbers < 0) | (np.floor(numbers) < numbers)  # false for NaN
    if wrong.any():
        raise WrongValue(column, f"{numbers[wrong][0]:g} is no count", _COUNT)
    return numbers


def as_moments(column: str, values: Column, nullable: bool) -> npt.NDArray[np.datetime64]:
    """A column of moments as UTC microseconds, NaT where null."""
    if values.dtype.kind == "M":
        moments = values.astype("datetime64[us]")
    elif values.dtype.kind == "O":
        parsed = [moment_value(column, value, nullable) for value in values.tolist()]
        bare = [None if moment is None else moment.replace(tzinfo=None) for moment in parsed]
        moments = np.asarray(bare, dtype="datetime64[us]")
    else:
        raise WrongValue(column, f"{values.dtype} values are no moments", "timestamps")
    if np.isnat(moments).any():
        _null(column, nullable)
    return moments


def to_raw(kind: InputType, value: object) -> str | int | float | None:
    """A table's value in the form a request gives it: the inputs of golden examples and exposures."""
    if is_null(value):
        return None
    match kind:
        case "time":
            if isinstance(value, np.datetime64):
                value = value.astype("datetime64[us]").item().replace(tzinfo=UTC)
            return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
        case "number":
            return float(value)  # type: ignore[arg-type]  # the column was read as numbers
        case "category":
            return category_text("", value, True)


def _null(column: str, nullable: bool) -> str:
    if not nullable:
        raise WrongValue(column, "is null", "a value, or nullable=True in the model file")
    return NULL


def is_null(value: object) -> bool:
    """Whether a table's value stands for nothing: None, NaN or NaT."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or bool(_is_nat(value))


def _is_nat(value: object) -> bool:
    return isinstance(value, np.datetime64) and bool(np.isnat(value))


def _cross_keyer(columns: tuple[str, ...], nullable: bool) -> Callable[..., str]:
    start = "×".join(columns) + "="

    def make(*values: object) -> str:
        texts = [category_text(column, value, nullable) for column, value in zip(columns, values, strict=True)]
        return start + _SEPARATOR.join(texts)

    return make


def _hour_keyer(column: str, offset_hours: float, nullable: bool) -> Callable[[object], str]:
    offset = timedelta(hours=offset_hours)

    def make(value: object) -> str:
        moment = moment_value(column, value, nullable)
        return f"{column}@{NULL}" if moment is None else f"{column}@{(moment + offset).hour}"

    return make


def _part_keyer(feature: TimePart) -> Callable[[object], str]:
    column, offset = feature.column, timedelta(hours=feature.utc_offset_hours)
    start, part = f"{column}@{feature.part}:", _PARTS[feature.part]

    def make(value: object) -> str:
        moment = moment_value(column, value, feature.nullable)
        return f"{start}{NULL}" if moment is None else f"{start}{part(moment + offset)}"

    return make


_PARTS: dict[str, Callable[[datetime], int]] = {
    "day_of_week": datetime.weekday,
    "hour_of_week": lambda at: at.weekday() * 24 + at.hour,
    "day_of_month": lambda at: at.day,
    "month": lambda at: at.month,
}


def _number_keyer(column: str, bins: tuple[float, ...], nullable: bool) -> Callable[[object], str]:
    def make(value: object) -> str:
        given = number_value(column, value, nullable)
        if math.isnan(given):
            return f"{column}#{NULL}"
        return f"{column}#{bisect_right(bins, given)}" if bins else f"{column}#"

    return make


def _hour_codes(feature: HourOfDay, moments: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.int64], list[str]]:
    offset = np.timedelta64(round(feature.utc_offset_hours * 3_600_000_000), "us")
    hours = ((moments + offset).astype("datetime64[h]").astype(np.int64)) % 24
    codes = np.where(np.isnat(moments), 24, hours)
    return codes.astype(np.int64), [f"{feature.column}@{hour}" for hour in range(24)] + [f"{feature.column}@{NULL}"]


def _part_codes(feature: TimePart, moments: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.int64], list[str]]:
    there = np.isnat(moments)
    local = np.where(there, np.datetime64(0, "us"), moments)
    local = local + np.timedelta64(round(feature.utc_offset_hours * 3_600_000_000), "us")
    hours, days = (local.astype(f"datetime64[{unit}]").astype(np.int64) for unit in ("h", "D"))
    match feature.part:
        # 1970-01-01 was a Thursday.
        case "day_of_week":
            values, size = (days + 3) % 7, 7
        case "hour_of_week":
            values, size = (hours + 72) % 168, 168
        case "day_of_month":
            values, size = (local.astype("datetime64[D]") - local.astype("datetime64[M]")).astype(np.int64) + 1, 32
        case _:
            values, size = local.astype("datetime64[M]").astype(np.int64) % 12 + 1, 13
    start = f"{feature.column}@{feature.part}:"
    return np.where(there, size, values), [*(f"{start}{one}" for one in range(size)), f"{start}{NULL}"]


def _number_codes(feature: Number, numbers: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], list[str]]:
    missing = len(feature.bins) + 1
    codes = np.where(np.isnan(numbers), missing, np.searchsorted(feature.bins, numbers, side="right"))
    there = [f"{feature.column}#{place}" for place in range(missing)] if feature.bins else [f"{feature.column}#"]
    return codes.astype(np.int64), [*there, f"{feature.column}#{NULL}"]


def plain_column(values: Sequence[object] | Column) -> Column:
    """A list out of a request as a column, without guessing a common type for mixed values."""
    if isinstance(values, np.ndarray):
        return values
    kinds = set(map(type, values))
    if kinds <= {int, float} and kinds:
        return _numeric(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _numeric(values: Sequence[object]) -> Column:
    column = np.asarray(values)
    # A whole number beyond 64 bits makes an object column, which is checked value by value.
    return column if column.dtype.kind in "iuf" else np.asarray(values, dtype=object)
