"""The body of a request: read, and refused with every faulty field before anything is scored."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from tasuki.errors import Fault, Invalid
from tasuki.models.artifact import Input
from tasuki.models.encoding import (
    NULL,
    Column,
    WrongValue,
    as_counts,
    as_moments,
    as_numbers,
    category_text,
    count_value,
    moment_value,
    number_value,
    plain_column,
)
from tasuki.serving.plan import ServingPlan

LARGEST_BODY = 4 * 1024 * 1024
LARGEST_ROWS = 10_000
LARGEST_FAULTS = 20
LONGEST_TEXT = 1024
"""Bytes of a unit's or a category's UTF-8: both are kept in the log with every answer."""
SURELY_SHORT = LONGEST_TEXT // 4
"""So many characters are never more bytes than that."""
LONGEST_WHOLE = 3 * LONGEST_TEXT
"""Bits of a whole number that surely has no more digits than a text may have bytes."""
_PLAIN = frozenset({str, int, bool})


@dataclass(frozen=True)
class Asked:
    """One unit with its named features."""

    unit: str
    features: dict[str, Any]


@dataclass(frozen=True)
class AskedColumns:
    """Many units with their features as columns.

    Args:
        units: The units.
        columns: The values as they were given, by name.
        checked: The columns that any loaded arm reads, by name and type, in the form its scorer takes.
    """

    units: list[str]
    columns: dict[str, list[Any]]
    checked: dict[tuple[str, str], Column]


def read_body(plan: ServingPlan, body: bytes) -> Asked | list[Asked] | AskedColumns:
    """What is asked: one unit, a list of rows, or columns; each value is one that the plan's arms can take.

    Of a name that is given twice in one object the last value counts, as for any reader of JSON here.

    Raises:
        Invalid: Naming at once each field that is missing, extra or of the wrong type.
    """
    document = _decoded(body)
    if not isinstance(document, dict):
        raise _refused([Fault("body", "is no JSON object", '{"unit": …, "features": {…}}')])
    faults: list[Fault] = []
    asked: Asked | list[Asked] | AskedColumns | None
    if "rows" in document:
        faults += _only(document, "rows")
        asked = _rows(plan, document["rows"], faults)
    elif "columns" in document or "units" in document:
        faults += _only(document, "units", "columns")
        asked = _columns(plan, document, faults)
    else:
        asked = _asked(plan, document, "", faults)
    if faults or asked is None:
        raise _refused(faults)
    return asked


def check_row(plan: ServingPlan, features: Mapping[str, Any], where: str = "features") -> list[Fault]:
    """What is wrong with the features of one row, whichever arm it gets; empty when nothing is."""
    faults = _extra(plan, features, where) + _missing(plan, features, where)
    for one in plan.inputs:
        if one.name in features:
            try:
                check_value(one, features[one.name])
            except WrongValue as error:
                faults.append(Fault(f"{where}.{one.name}", error.what, error.expected))
    read = plan.read
    for name, value in features.items():
        if name in read or (type(value) is str and len(value) <= SURELY_SHORT and value != NULL):
            continue
        try:
            check_unread(name, value, _may_be_null(plan))
        except WrongValue as error:
            faults.append(Fault(f"{where}.{name[:80]}", error.what, error.expected))
    return faults


def check_value(one: Input, value: object) -> None:
    """Raises `WrongValue` when the input cannot be this value."""
    match one.type:
        case "category":
            if isinstance(value, float) and not math.isfinite(value):
                raise WrongValue(one.name, "is not finite", "a text, a number or true/false")
            category_text(one.name, value, one.nullable)
            _require_short(one.name, value)
        case "number":
            if isinstance(value, float) and math.isnan(value):
                raise WrongValue(one.name, "is NaN", "a finite number")
            (count_value if one.count else number_value)(one.name, value, one.nullable)
        case "time":
            moment_value(one.name, value, one.nullable)


def check_unread(name: str, value: object, nullable: bool) -> None:
    """Raises `WrongValue` when no feature at all could be this value, of a name that no loaded arm reads."""
    if isinstance(value, float) and not math.isfinite(value):
        raise WrongValue(name, "is not finite", "a text, a finite number or true/false")
    category_text(name, value, nullable)
    _require_short(name, value)


def _require_short(name: str, value: object) -> None:
    if isinstance(value, str) and not _is_short(value):
        raise WrongValue(name, f"has {len(value.encode())} bytes", f"at most {LONGEST_TEXT} bytes of UTF-8")
    if isinstance(value, int) and value.bit_length() > LONGEST_WHOLE:
        raise WrongValue(name, "is a whole number of too many digits", f"about {LONGEST_TEXT * 9 // 10} at most")


def _is_short(text: str) -> bool:
    return len(text) <= SURELY_SHORT or len(text.encode()) <= LONGEST_TEXT


def _may_be_null(plan: ServingPlan) -> bool:
    """Whether a name that no loaded arm reads may be null: only while there is an arm whose names are not known."""
    return plan.accepts is None


def _checked(one: Input, values: list[Any]) -> Column:
    column = plain_column(values)
    match one.type:
        case "number":
            if any(isinstance(value, float) and math.isnan(value) for value in values):
                raise WrongValue(one.name, "is NaN", "a finite number")
            return (as_counts if one.count else as_numbers)(one.name, column, one.nullable)
        case "time":
            return as_moments(one.name, column, one.nullable)
        case "category":
            if not _plainly_short(values):
                for value in values:
                    check_value(one, value)
            return column


def _plainly_short(values: list[Any]) -> bool:
    """Whether a look at the whole column says that each value is a category: not too long, and not null's own text."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        return False
    texts = values if kinds == {str} else [value for value in values if type(value) is str]
    if max((value.bit_length() for value in values if type(value) is int), default=0) > LONGEST_WHOLE:
        return False
    return max(map(len, texts), default=0) <= SURELY_SHORT and NULL not in texts


def _first_fault(name: str, values: list[Any], check: Callable[[Any], None]) -> Fault | None:
    """The first row of a column that a check refuses."""
    for row, value in enumerate(values):
        try:
            check(value)
        except WrongValue as error:
            return Fault(f"columns.{name[:80]}.{row}", error.what, error.expected)
    return None


def _missing(plan: ServingPlan, names: Mapping[str, Any], where: str) -> list[Fault]:
    asks = plan.control.asks
    needed = asks.inputs if asks is not None else {}
    return [Fault(f"{where}.{name}", "is missing", one.type) for name, one in needed.items() if name not in names]


def _extra(plan: ServingPlan, names: Mapping[str, Any], where: str) -> list[Fault]:
    """Names that no version knows. While an arm is not loaded its names are unknown, and nothing counts as extra."""
    accepts = plan.accepts
    if accepts is None or names.keys() <= accepts:
        return []
    known = ", ".join(sorted(accepts))
    return [Fault(f"{where}.{name[:80]}", "is not known", known) for name in names if name not in accepts]


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        # JSON has no NaN; a body that is wrong only in that is read on, so that the field can be named.
        try:
            document = json.loads(body, parse_int=_whole)
            json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is no character
            return document
        except (ValueError, RecursionError):
            raise _refused([Fault("body", f"is broken JSON: {error}", "one JSON object in UTF-8")]) from None


def _whole(digits: str) -> int | float:
    """A whole number; one that no number can be is infinite, so that its field can be named."""
    return int(digits) if len(digits) <= LONGEST_TEXT else float(digits)


def _only(document: Mapping[str, Any], *names: str) -> list[Fault]:
    faults = [Fault(name, "is missing") for name in names if name not in document]
    return faults + [Fault(name[:80], "is not known", ", ".join(names)) for name in document if name not in names]


def _asked(plan: ServingPlan, value: Any, where: str, faults: list[Fault]) -> Asked | None:
    """One row; what is wrong with it is added to the faults, and counts once it is all known."""
    if not isinstance(value, dict):
        faults.append(Fault(where or "body", "is no object", '{"unit": …, "features": {…}}'))
        return None
    start = f"{where}." if where else ""
    if value.keys() != _ROW_FIELDS:
        known = "unit, features"
        faults += [Fault(f"{start}{name[:80]}", "is not known", known) for name in value if name not in _ROW_FIELDS]
    unit, features = value.get("unit"), value.get("features")
    faults += _unit_faults(unit, f"{start}unit")
    if not isinstance(features, dict):
        what = "is missing" if features is None else "is no object"
        faults.append(Fault(f"{start}features", what, "an object of named values"))
        return None
    faults += check_row(plan, features, f"{start}features")
    return Asked(str(unit), features)


def _rows(plan: ServingPlan, value: Any, faults: list[Fault]) -> list[Asked]:
    if not isinstance(value, list) or not 0 < len(value) <= LARGEST_ROWS:
        faults.append(Fault("rows", "is no list of rows", f"1 to {LARGEST_ROWS} objects with unit and features"))
        return []
    rows = [_asked(plan, one, f"rows.{place}", faults) for place, one in enumerate(value)]
    return [one for one in rows if one is not None]


def _columns(plan: ServingPlan, document: Mapping[str, Any], faults: list[Fault]) -> AskedColumns:
    units, columns = document.get("units"), document.get("columns")
    rows: int | None = None
    if not isinstance(units, list) or not 0 < len(units) <= LARGEST_ROWS:
        if "units" in document:
            faults.append(Fault("units", "is no list of units", f"1 to {LARGEST_ROWS} texts or whole numbers"))
        units = []
    else:
        rows = len(units)
        for row, unit in enumerate(units):
            if not _is_unit(unit):
                faults += _unit_faults(unit, f"units.{row}")
    if not isinstance(columns, dict):
        if "columns" in document:
            faults.append(Fault("columns", "is no object", "an object of lists"))
        return AskedColumns([], {}, {})
    faults += _extra(plan, columns, "columns") + _missing(plan, columns, "columns")
    lists = {}
    for name, values in columns.items():
        if isinstance(values, list):
            lists[name] = values
        if not isinstance(values, list) or rows not in (None, len(values)):
            has = f"has {len(values)} values" if isinstance(values, list) else "is no list"
            faults.append(
                Fault(f"columns.{name[:80]}", has, "one per unit" if rows is None else f"{rows}, one per unit")
            )
    return AskedColumns([str(unit) for unit in units], columns, _checked_columns(plan, lists, faults))


def _checked_columns(
    plan: ServingPlan, columns: Mapping[str, list[Any]], faults: list[Fault]
) -> dict[tuple[str, str], Column]:
    """The columns that any loaded arm reads; the first faulty row of each column is added to the faults."""
    checked: dict[tuple[str, str], Column] = {}
    for one in plan.inputs:
        values = columns.get(one.name)
        if values is None:
            continue
        try:
            checked[one.name, one.type] = _checked(one, values)
        except WrongValue:
            first = _first_fault(one.name, values, partial(check_value, one))
            faults.append(first or Fault(f"columns.{one.name}", "cannot be read", one.type))
    for name in columns.keys() - plan.read:
        if not _plainly_short(columns[name]):
            check = partial(check_unread, name, nullable=_may_be_null(plan))
            first = _first_fault(name, columns[name], check)
            faults += [first] if first is not None else []
    return checked


def _unit_faults(unit: object, where: str) -> list[Fault]:
    if _is_unit(unit):
        return []
    if isinstance(unit, str | int) and unit and not isinstance(unit, bool):
        return [Fault(where, f"has {len(str(unit).encode())} bytes", f"at most {LONGEST_TEXT} bytes of UTF-8")]
    return [Fault(where, "is missing" if unit is None else "is no unit", "a text or whole number")]


def _is_unit(unit: object) -> bool:
    if isinstance(unit, str):
        return bool(unit) and _is_short(unit)
    return isinstance(unit, int) and not isinstance(unit, bool) and unit.bit_length() <= LONGEST_WHOLE


def _refused(faults: Sequence[Fault]) -> Invalid:
    what = "the request cannot be answered"
    if len(faults) > LARGEST_FAULTS:
        what += f": it has {len(faults)} faults, and the first {LARGEST_FAULTS} are named"
    return Invalid(what, faults[:LARGEST_FAULTS], next_step="mend the fields and ask again")


_ROW_FIELDS = frozenset({"unit", "features"})
