"""The body of a request: read, and refused with every faulty field before anything is scored."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tasuki.errors import Fault, Invalid
from tasuki.models.artifact import Input
from tasuki.models.encoding import (
    Column,
    WrongValue,
    as_moments,
    as_numbers,
    category_text,
    moment_value,
    number_value,
    plain_column,
)
from tasuki.serving.plan import ServingPlan

LARGEST_BODY = 4 * 1024 * 1024
LARGEST_ROWS = 10_000
LARGEST_FAULTS = 20


@dataclass(frozen=True)
class Asked:
    """One unit with its named features."""

    unit: str
    features: dict[str, Any]


@dataclass(frozen=True)
class AskedColumns:
    """Many units with their features as columns."""

    units: list[str]
    columns: dict[str, list[Any]]


def read_body(body: bytes) -> Asked | list[Asked] | AskedColumns:
    """What is asked: one unit, a list of rows, or columns.

    Raises:
        Invalid: Naming each field that is missing, extra or of the wrong type.
    """
    document = _decoded(body)
    if not isinstance(document, dict):
        raise _refused([Fault("body", "is no JSON object", '{"unit": …, "features": {…}}')])
    names = set(document)
    if "rows" in names:
        _only(document, "rows")
        return _rows(document["rows"])
    if "columns" in names or "units" in names:
        _only(document, "units", "columns")
        return _columns(document)
    faults: list[Fault] = []
    asked = _asked(document, "", faults)
    if asked is None:
        raise _refused(faults)
    return asked


def check_row(plan: ServingPlan, features: Mapping[str, Any], where: str = "features") -> list[Fault]:
    """What is wrong with the features of one row, whichever arm it gets; empty when nothing is."""
    faults = _extra(plan, features, where)
    needed = plan.control.artifact.inputs if plan.control.artifact is not None else {}
    faults += [Fault(f"{where}.{name}", "is missing", one.type) for name, one in needed.items() if name not in features]
    for one in plan.inputs:
        if one.name in features:
            try:
                check_value(one, features[one.name])
            except WrongValue as error:
                faults.append(Fault(f"{where}.{one.name}", error.what, error.expected))
    return faults


def check_value(one: Input, value: object) -> None:
    """Raises `WrongValue` when the input cannot be this value."""
    match one.type:
        case "category":
            if isinstance(value, float) and not math.isfinite(value):
                raise WrongValue(one.name, "is not finite", "a text, a number or true/false")
            category_text(one.name, value, one.nullable)
        case "number":
            if isinstance(value, float) and math.isnan(value):
                raise WrongValue(one.name, "is NaN", "a finite number")
            number_value(one.name, value, one.nullable)
        case "time":
            moment_value(one.name, value, one.nullable)


def checked_columns(plan: ServingPlan, asked: AskedColumns) -> dict[tuple[str, str], Column]:
    """The columns that any loaded arm reads, by name and type, in the form its scorer takes.

    Raises:
        Invalid: Naming each faulty column, and the first faulty row of it.
    """
    faults = _extra(plan, asked.columns, "columns")
    needed = plan.control.artifact.inputs if plan.control.artifact is not None else {}
    faults += [
        Fault(f"columns.{name}", "is missing", one.type) for name, one in needed.items() if name not in asked.columns
    ]
    checked: dict[tuple[str, str], Column] = {}
    for one in plan.inputs:
        values = asked.columns.get(one.name)
        if values is None:
            continue
        try:
            checked[one.name, one.type] = _checked(one, values)
        except WrongValue:
            faults.append(_first_fault(one, values))
    if faults:
        raise _refused(faults)
    return checked


def refuse_rows(faults: Sequence[Fault]) -> None:
    """Raises `Invalid` when there are faults."""
    if faults:
        raise _refused(faults)


def _checked(one: Input, values: list[Any]) -> Column:
    column = plain_column(values)
    match one.type:
        case "number":
            if any(isinstance(value, float) and math.isnan(value) for value in values):
                raise WrongValue(one.name, "is NaN", "a finite number")
            return as_numbers(one.name, column, one.nullable)
        case "time":
            return as_moments(one.name, column, one.nullable)
        case "category":
            if not set(map(type, values)) <= {str, int, bool}:
                for value in values:
                    check_value(one, value)
            return column


def _first_fault(one: Input, values: list[Any]) -> Fault:
    for row, value in enumerate(values):
        try:
            check_value(one, value)
        except WrongValue as error:
            return Fault(f"columns.{one.name}.{row}", error.what, error.expected)
    return Fault(f"columns.{one.name}", "cannot be read", one.type)


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
            document = json.loads(body)
            json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is no character
            return document
        except (ValueError, RecursionError):
            raise _refused([Fault("body", f"is broken JSON: {error}", "one JSON object in UTF-8")]) from None


def _only(document: Mapping[str, Any], *names: str) -> None:
    faults = [Fault(name, "is missing") for name in names if name not in document]
    faults += [Fault(name[:80], "is not known", ", ".join(names)) for name in document if name not in names]
    if faults:
        raise _refused(faults)


def _asked(value: Any, where: str, faults: list[Fault]) -> Asked | None:
    if not isinstance(value, dict):
        faults.append(Fault(where or "body", "is no object", '{"unit": …, "features": {…}}'))
        return None
    before = len(faults)
    start = f"{where}." if where else ""
    faults += [
        Fault(f"{start}{name[:80]}", "is not known", "unit, features") for name in value if name not in _ROW_FIELDS
    ]
    unit, features = value.get("unit"), value.get("features")
    if not _is_unit(unit):
        faults.append(Fault(f"{start}unit", "is missing" if unit is None else "is no unit", "a text or whole number"))
    if not isinstance(features, dict):
        what = "is missing" if features is None else "is no object"
        faults.append(Fault(f"{start}features", what, "an object of named values"))
    return None if len(faults) > before else Asked(str(unit), value["features"])


def _rows(value: Any) -> list[Asked]:
    if not isinstance(value, list) or not 0 < len(value) <= LARGEST_ROWS:
        raise _refused([Fault("rows", "is no list of rows", f"1 to {LARGEST_ROWS} objects with unit and features")])
    faults: list[Fault] = []
    rows = [_asked(one, f"rows.{place}", faults) for place, one in enumerate(value)]
    if faults:
        raise _refused(faults)
    return [one for one in rows if one is not None]


def _columns(document: Mapping[str, Any]) -> AskedColumns:
    units, columns = document["units"], document["columns"]
    if not isinstance(units, list) or not 0 < len(units) <= LARGEST_ROWS:
        raise _refused([Fault("units", "is no list of units", f"1 to {LARGEST_ROWS} texts or whole numbers")])
    faults = [
        Fault(f"units.{row}", "is no unit", "a text or whole number")
        for row, unit in enumerate(units)
        if not _is_unit(unit)
    ]
    if not isinstance(columns, dict):
        raise _refused([*faults, Fault("columns", "is no object", "an object of lists")])
    for name, values in columns.items():
        if not isinstance(values, list) or len(values) != len(units):
            has = f"has {len(values)} values" if isinstance(values, list) else "is no list"
            faults.append(Fault(f"columns.{name[:80]}", has, f"{len(units)}, one per unit"))
    if faults:
        raise _refused(faults)
    return AskedColumns([str(unit) for unit in units], columns)


def _is_unit(value: object) -> bool:
    return (isinstance(value, str) and bool(value)) or (isinstance(value, int) and not isinstance(value, bool))


def _refused(faults: Sequence[Fault]) -> Invalid:
    return Invalid("the request cannot be answered", faults[:LARGEST_FAULTS], next_step="mend the fields and ask again")


_ROW_FIELDS = frozenset({"unit", "features"})
