"""An idea's state as JSON and back, without loss: the form in which the ledger keeps the fold."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tasuki.clock import from_text, to_text
from tasuki.flow.state import IdeaState


def state_to_json(state: IdeaState) -> dict[str, Any]:
    """The state as JSON values; `state_from_json` gives an equal state back."""
    written: dict[str, Any] = _write(state)
    return written


def state_from_json(value: Mapping[str, Any]) -> IdeaState:
    """The state that `state_to_json` wrote. Fields that were added since take their defaults."""
    state: IdeaState = _read(IdeaState, value)
    return state


def _write(value: Any) -> Any:
    match value:
        case datetime():
            return to_text(value)
        case date():
            return value.isoformat()
        case tuple() | list():
            return [_write(one) for one in value]
        case Mapping():
            return {str(key): _write(one) for key, one in value.items()}
        case _ if is_dataclass(value):
            return {one.name: _write(getattr(value, one.name)) for one in fields(value)}
    return value


def _read(kind: Any, value: Any) -> Any:
    if value is None or kind in (str, int, float, bool, Any):
        return value
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _read(next(one for one in get_args(kind) if one is not type(None)), value)
    if origin is tuple:
        return tuple(_read(get_args(kind)[0], one) for one in value)
    if kind is datetime:
        return from_text(value)
    if kind is date:
        return date.fromisoformat(value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _read(hints[name], one) for name, one in value.items()})
    if origin in (Literal, Mapping):
        return value
    return dict(value)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
