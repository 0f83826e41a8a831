"""Forms for evidence, made from the records themselves: a new kind or field has its form without a line of HTML.

A record's field becomes one of a few kinds of input. Lists of records (sources, queries, …) become groups of inputs;
the page shows one group more than are filled, so that it works without a script.
"""

import dataclasses
import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from tasuki.errors import Fault, said
from tasuki.flow.records import EVIDENCE_TYPES
from tasuki.web.forms import Form

InputKind = Literal["line", "text", "number", "whole", "choice", "yes_no", "day", "lines", "pairs", "group"]
LONG_TEXTS = frozenset(
    {
        "because",
        "change",
        "value_if_true",
        "stop_when",
        "population",
        "leakage_notes",
        "label_delay_notes",
        "method",
        "intended_use",
        "unsuitable_use",
        "cost_estimate",
        "rule",
        "fallback",
        "rollback",
        "review_notes",
        "stop_rule",
        "interactions",
        "reason",
        "clean_up",
        "summary",
        "meaning",
        "sql",
        "seen",
        "explanation",
        "output",
    }
)
"""Fields that people write a sentence or more into."""
PEOPLE_WRITE: tuple[str, ...] = (
    "hypothesis_brief",
    "data_report",
    "opportunity_estimate",
    "readiness_note",
    "decision",
    "learning",
    "external_link",
    "model_card",
)
"""Kinds that people write. The others come from runs; their form takes the JSON that a run gave."""
_MOST_GROUPS = 50


@dataclass(frozen=True)
class Input:
    """One input of a form.

    Args:
        name: The record's field.
        kind: What the reader types or chooses.
        is_required: Whether it may not be left empty.
        choices: What can be chosen.
        parts: The inputs of each group.
    """

    name: str
    kind: InputKind
    is_required: bool = True
    choices: tuple[str, ...] = ()
    parts: tuple["Input", ...] = ()


def inputs_of(kind: str, *, as_json: bool = False) -> tuple[Input, ...]:
    """The inputs of a kind of evidence, in the record's order; one for the whole when it comes from a run."""
    if as_json or kind not in PEOPLE_WRITE:
        return (JSON_INPUT,)
    return _inputs(EVIDENCE_TYPES[kind])


JSON_INPUT = Input("json", "text")


def _inputs(record: type) -> tuple[Input, ...]:
    hints = get_type_hints(record, include_extras=True)
    made = []
    for one in dataclasses.fields(record):
        optional = one.default is not dataclasses.MISSING or one.default_factory is not dataclasses.MISSING
        made.append(_input(one.name, hints[one.name], is_required=not optional))
    return tuple(made)


def _input(name: str, hint: Any, *, is_required: bool) -> Input:
    bare, may_be_none = _bare(hint)
    is_required = is_required and not may_be_none
    origin = get_origin(bare)
    if origin is Literal:
        return Input(name, "choice", is_required, tuple(str(one) for one in get_args(bare)))
    if origin is tuple:
        of, _ = _bare(get_args(bare)[0])
        if dataclasses.is_dataclass(of):
            return Input(name, "group", is_required, parts=_inputs(cast(type, of)))
        return Input(name, "lines", False)
    if origin is not None:
        return Input(name, "pairs", False)
    if dataclasses.is_dataclass(bare):
        return Input(name, "group", is_required, parts=_inputs(cast(type, bare)))
    kinds: dict[Any, InputKind] = {bool: "yes_no", int: "whole", float: "number", date: "day"}
    kind = kinds.get(bare, "text" if name in LONG_TEXTS else "line")
    return Input(name, kind, is_required and kind != "yes_no")


def _bare(hint: Any) -> tuple[Any, bool]:
    """A type without its annotations, and whether it may be None."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        left = [one for one in get_args(hint) if one is not type(None)]
        inner, _ = _bare(left[0])
        return inner, len(left) < len(get_args(hint))
    return hint, False


def record_of(form: Form, inputs: Sequence[Input], faults: list[Fault], prefix: str = "") -> dict[str, Any]:
    """The record that a form filled in, as JSON values; what cannot be read is added to `faults`."""
    if tuple(inputs) == (JSON_INPUT,):
        return _read_json(form.raw("json"), faults)[0]
    record: dict[str, Any] = {}
    for one in inputs:
        name = prefix + one.name
        match one.kind:
            case "group":
                record[one.name] = _groups(form, one, faults, name)
            case "yes_no":
                record[one.name] = form.is_on(name)
            case "number" | "whole":
                number = form.number(name, faults)
                record[one.name] = int(number) if number is not None and number == int(number) else number
            case "lines":
                record[one.name] = [line.strip() for line in form.text(name).split("\n") if line.strip()]
            case "pairs":
                record[one.name] = _pairs(form.text(name), name, faults)
            case "day":
                day = form.day(name, faults)
                record[one.name] = None if day is None else day.isoformat()
            case _:
                record[one.name] = form.text(name) or (None if not one.is_required else "")
    return {name: value for name, value in record.items() if value is not None or _is_asked(inputs, name)}


def body_of(form: Form, kind: str, faults: list[Fault], *, as_json: bool = False) -> dict[str, Any]:
    """The evidence that a form filled in, without producer and moment.

    JSON may be a record alone, or the whole evidence that a run gave: then its data window and commit are kept.
    """
    inputs = inputs_of(kind, as_json=as_json)
    if inputs != (JSON_INPUT,):
        commit = form.text("_code_commit")
        return {"kind": kind, "record": record_of(form, inputs, faults)} | ({"code_commit": commit} if commit else {})
    record, whole = _read_json(form.raw("json"), faults)
    given = str(whole.get("kind", kind))
    if given != kind:
        faults.append(Fault("json", said("is a {kind}", kind=given), said("a {kind}", kind=kind)))
    kept = {name: whole[name] for name in ("data_window", "code_commit") if whole.get(name)}
    return {"kind": kind, "record": record, **kept}


def _read_json(text: str, faults: list[Fault]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record in a JSON text, and the evidence around it (empty when the text is a record alone)."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        what = said("is no JSON from line {line}, character {column} on", line=error.lineno, column=error.colno)
        faults.append(Fault("json", what, "an object, as the JSON link beside evidence gives it"))
        return {}, {}
    except RecursionError:
        faults.append(Fault("json", "is nested too deeply", "an object, as the JSON link beside evidence gives it"))
        return {}, {}
    if not isinstance(value, dict):
        faults.append(Fault("json", "is no object", "an object"))
        return {}, {}
    record = value.get("record")
    return (record, value) if isinstance(record, dict) and "kind" in value else (value, {})


def _is_asked(inputs: Sequence[Input], name: str) -> bool:
    return True if any(one.name == name and one.is_required for one in inputs) else name in _NULLABLE


_NULLABLE = frozenset({"recommended", "effect", "effect_low", "effect_high", "false_win_risk"})
"""Fields of records that must be there even when nothing is known: null says so."""


def _groups(form: Form, one: Input, faults: list[Fault], name: str) -> list[dict[str, Any]]:
    groups = []
    for number in range(_MOST_GROUPS):
        prefix = f"{name}.{number}."
        if any(key.startswith(prefix) and form.text(key) for key in form.fields):
            groups.append(record_of(form, one.parts, faults, prefix))
    return groups


def _pairs(text: str, name: str, faults: list[Fault]) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for line in filter(None, (one.strip() for one in text.split("\n"))):
        key, found, value = line.partition("=")
        if not found or not key.strip():
            faults.append(Fault(name, said("{line!r} has no =", line=line[:40]), "a name = a value in each line"))
            continue
        try:
            pairs[key.strip()] = float(value)
        except ValueError:
            pairs[key.strip()] = value.strip()
    return pairs


def filled(inputs: Sequence[Input], record: Mapping[str, Any], prefix: str = "") -> dict[str, list[str]]:
    """A record as the fields of a form: to go on from what was attached before."""
    if tuple(inputs) == (JSON_INPUT,):
        return {"json": [json.dumps(record, ensure_ascii=False, indent=2)]}
    fields: dict[str, list[str]] = {}
    for one in inputs:
        value, name = record.get(one.name), prefix + one.name
        if value is None:
            continue
        match one.kind:
            case "group":
                groups = value if isinstance(value, list | tuple) else [value]
                for number, group in enumerate(groups):
                    fields |= filled(one.parts, group, f"{name}.{number}.")
            case "lines":
                fields[name] = ["\n".join(map(str, value))]
            case "pairs":
                fields[name] = ["\n".join(f"{key} = {one}" for key, one in value.items())]
            case "yes_no":
                fields[name] = ["yes"] if value else []
            case _:
                fields[name] = [str(value)]
    return fields


def groups_shown(form: Form, name: str) -> int:
    """How many groups a form shows: those that are filled and one more."""
    used = [
        number
        for number in range(_MOST_GROUPS)
        if any(key.startswith(f"{name}.{number}.") and form.text(key) for key in form.fields)
    ]
    return min(_MOST_GROUPS, max(used, default=-1) + 2)
