"""Between events and the ledger's rows: what may be written, how it is written, and how it is read back."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasuki.clock import from_text, to_text
from tasuki.errors import Fault, Invalid, Unavailable, said
from tasuki.flow.event import (
    ACCOUNT_KINDS,
    ACCOUNT_STREAM,
    IDEA_KINDS,
    OWN_STREAMS,
    TEAM_KINDS,
    TEAM_STREAM,
    Event,
    NewEvent,
    canonical_json,
)
from tasuki.flow.fold import fold, fold_members, state_from_json, state_to_json
from tasuki.flow.outline import outline_of
from tasuki.flow.state import IdeaState

DEEPEST_BODY = 64
LONGEST_NAME = 200
LARGEST_INTEGER_BITS = 1024

_OWN_KINDS = {TEAM_STREAM: TEAM_KINDS, ACCOUNT_STREAM: ACCOUNT_KINDS}
_AS_IT_IS = ("idea", "sequence", "kind", "actor", "previous_hash", "hash")


def kinds_of(idea: str) -> frozenset[str]:
    """The kinds of event that this stream may hold."""
    return _OWN_KINDS.get(idea, IDEA_KINDS)


def checked(idea: str, new: Sequence[NewEvent]) -> tuple[NewEvent, ...]:
    """The events as they will be read back: bodies as plain JSON values, moments in UTC.

    Raises:
        Invalid: With every fault of every event: no event, an unknown kind, a moment without a time zone, a body that
            is not JSON.
    """
    faults = _name_faults("idea", idea)
    if not new:
        faults.append(Fault("events", "there are none", "at least one"))
    for number, event in enumerate(new):
        faults.extend(_faults(idea, event, f"events.{number}"))
    if faults:
        raise Invalid(said("the ledger cannot keep what should be written to {idea!r}", idea=idea), faults)
    return tuple(
        NewEvent(event.kind, event.actor, from_text(to_text(event.at)), json.loads(canonical_json(event.body)))
        for event in new
    )


def digest_of(idea: str, new: Iterable[NewEvent]) -> str:
    """What was asked for, as a hash: the same request tried again is the same request.

    The moment is left out, and of a request that opens an idea the idea's id: a retry may have drawn another one.
    """
    wanted = list(new)
    stream = "" if wanted[0].kind == "idea_opened" else idea
    asked = [stream, [[event.kind, event.actor, event.body] for event in wanted]]
    return hashlib.sha256(canonical_json(asked).encode()).hexdigest()


def to_row(position: int, event: Event) -> dict[str, Any]:
    """The row of the table `events`."""
    return {
        "position": position,
        "idea": event.idea,
        "sequence": event.sequence,
        "kind": event.kind,
        "actor": event.actor,
        "at": to_text(event.at),
        "body": canonical_json(event.body),
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }


def to_event(row: Mapping[str, Any]) -> Event:
    """The event of a row.

    Raises:
        Unavailable: When the row cannot be read: somebody changed it outside tasuki.
    """
    try:
        at, body = from_text(row["at"]), json.loads(row["body"])
        if not isinstance(body, dict):
            raise ValueError("the body is not an object")
    except (ValueError, TypeError, RecursionError) as fault:
        raise Unavailable(
            said(
                "event {sequence} of {idea} cannot be read ({fault})",
                sequence=row["sequence"],
                idea=row["idea"],
                fault=fault,
            ),
            next_step="run `tasuki doctor`, which names every damaged event, and `tasuki restore` a backup",
        ) from fault
    return Event(**{name: row[name] for name in _AS_IT_IS}, at=at, body=body)


@dataclass(frozen=True)
class StoredFold:
    """What is kept beside the events of a stream, as text; both are None for the team's own streams."""

    state: str | None = None
    outline: str | None = None


def stored_fold(idea: str, story: Sequence[Event]) -> StoredFold:
    """The stored fold of a stream: an idea's state and its outline; the team's own streams are only checked.

    Raises:
        Invalid: When the events do not make a story that can be folded.
    """
    if idea not in OWN_STREAMS:
        state = fold(story)
        return StoredFold(canonical_json(state_to_json(state)), outline_text(state))
    try:
        if idea == TEAM_STREAM:
            fold_members(story)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Invalid(said("an event of the team's stream does not fit its kind ({fault!r})", fault=fault)) from fault
    return StoredFold()


def outline_text(state: IdeaState) -> str:
    """The outline of a state as it is stored."""
    return canonical_json(state_to_json(outline_of(state)))


def read_state(text: str | None) -> IdeaState | None:
    """A stored state or outline; None when this version cannot read it, so that it is folded anew."""
    try:
        return state_from_json(json.loads(text or ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _faults(idea: str, event: NewEvent, where: str) -> list[Fault]:
    faults = _name_faults(f"{where}.actor", event.actor)
    if event.kind not in kinds_of(idea):
        expected = "a kind of " + ("the team's events" if idea in OWN_STREAMS else "an idea's events")
        faults.append(Fault(f"{where}.kind", said("{kind!r} is unknown here", kind=event.kind), expected))
    if event.at.tzinfo is None:
        faults.append(Fault(f"{where}.at", "a moment without a time zone", "an aware datetime"))
    body: object = event.body
    if not isinstance(body, Mapping):
        faults.append(
            Fault(f"{where}.body", said("{kind} is no body", kind=type(body).__name__), "an object of JSON values")
        )
    return faults + _body_faults(body, f"{where}.body", DEEPEST_BODY)


def _name_faults(where: str, name: object) -> list[Fault]:
    expected = f"1 to {LONGEST_NAME} printable characters"
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        return [Fault(where, said("{name!r:.100} is no name", name=name), expected)]
    return []


def _body_faults(value: object, where: str, depth: int) -> list[Fault]:
    match value:
        case None | bool():
            return []
        case str():
            return [] if _is_unicode(value) else [Fault(where, "text that is not Unicode (a lone surrogate)")]
        case int():
            too_large = value.bit_length() > LARGEST_INTEGER_BITS
            return [Fault(where, "too large a whole number", "a float or a text")] if too_large else []
        case float():
            return (
                []
                if math.isfinite(value)
                else [Fault(where, said("{value} is no JSON number", value=value), "a finite number")]
            )
        case _ if depth == 0:
            return [Fault(where, "nested too deeply", said("at most {deepest_body} levels", deepest_body=DEEPEST_BODY))]
        case Mapping():
            keys = [Fault(where, said("the key {key!r} is no text", key=key)) for key in value if not _is_key(key)]
            inner = ((f"{where}.{key}", one) for key, one in value.items() if _is_key(key))
        case list() | tuple():
            keys, inner = [], ((f"{where}.{number}", one) for number, one in enumerate(value))
        case _:
            return [
                Fault(
                    where,
                    said("{kind} is not JSON", kind=type(value).__name__),
                    "text, number, boolean, null, list or object",
                )
            ]
    return [*keys, *(fault for place, one in inner for fault in _body_faults(one, place, depth - 1))]


def _is_key(key: object) -> bool:
    return isinstance(key, str) and _is_unicode(key)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
