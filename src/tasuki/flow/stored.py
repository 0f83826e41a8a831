"""An idea's state as JSON and back, without loss: the form in which the ledger keeps the fold."""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import date, datetime
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tasuki.clock import from_text, to_text
from tasuki.flow.state import IdeaState


def state_to_json(state: IdeaState) -> dict[str, Any]:
    """The state as JSON values; `state_from_json` gives an equal state back."""
    written: dict[str, Any] = _writer(IdeaState)(state)
    return written


def state_from_json(value: Mapping[str, Any]) -> IdeaState:
    """The state that `state_to_json` wrote. Fields that were added since take their defaults."""
    state: IdeaState = _reader(IdeaState)(value)
    return state


@cache
def _writer(kind: Any) -> Callable[[Any], Any]:
    """What writes values of a kind as JSON values; a mapping in a state is the body of an event, and JSON already."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _or_none(_writer(next(one for one in get_args(kind) if one is not type(None))))
    if origin is tuple:
        one_of = _writer(get_args(kind)[0])
        return list if one_of is _as_it_is else lambda value: [one_of(one) for one in value]
    if kind is datetime:
        return to_text
    if kind is date:
        return date.isoformat
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_writer(kind)
    return _as_it_is


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """What reads JSON values of a kind; made once for each, since a list reads thousands of states."""
    if kind in (str, int, float, bool, Any):
        return _as_it_is
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _or_none(_reader(next(one for one in get_args(kind) if one is not type(None))))
    if origin is tuple:
        one_of = _reader(get_args(kind)[0])
        return lambda value: tuple(map(one_of, value)) if one_of is not _as_it_is else tuple(value)
    if kind is datetime:
        return from_text
    if kind is date:
        return date.fromisoformat
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_reader(kind)
    return _as_it_is if origin in (Literal, Mapping) else dict


def _as_it_is(value: Any) -> Any:
    return value


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return _as_it_is if read is _as_it_is else lambda value: None if value is None else read(value)


def _dataclass_writer(kind: type) -> Callable[[Any], Any]:
    writers = tuple((name, _writer(hint)) for name, hint in get_type_hints(kind).items())
    return lambda value: {name: write(getattr(value, name)) for name, write in writers}


def _dataclass_reader(kind: type) -> Callable[[Any], Any]:
    readers = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}
    return lambda value: kind(**{name: readers[name](one) for name, one in value.items()})
