"""The default answer of a model: what is answered when neither an arm nor control can, and why it is that number."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tasuki.errors import Fault, Invalid, said

LONGEST_REASON = 200
SAID = "; default: "
"""Between why nothing else could answer and the default's own reason, in the log."""


@dataclass(frozen=True)
class DefaultAnswer:
    """What a model answers when it cannot be computed.

    Args:
        value: The answer, 0 to 1 as any score.
        reason: Why this number: where it comes from, so that whoever reads the log can judge it.
    """

    value: float
    reason: str


def default_faults(value: object, where: str = "default") -> Iterator[Fault]:
    """What is wrong with something that should be a default answer, or None."""
    if value is None:
        return
    if not isinstance(value, DefaultAnswer):
        what = said("{value} is no DefaultAnswer", value=repr(value))
        yield Fault(where, what, 'DefaultAnswer(0.01, "the click rate of last month")')
        return
    number: object = value.value
    if (
        isinstance(number, bool)
        or not isinstance(number, int | float)
        or not (math.isfinite(number) and 0 <= number <= 1)
    ):
        yield Fault(f"{where}.value", said("{number} is no score", number=repr(number)), "a number from 0 to 1")
    reason: object = value.reason
    if not isinstance(reason, str) or not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        yield Fault(
            f"{where}.reason",
            said("{reason} says nothing", reason=repr(reason)[:80]),
            said("one line, at most {length} characters", length=LONGEST_REASON),
        )


def require_default(value: DefaultAnswer | None) -> None:
    """Raises `Invalid` with everything that is wrong with a default answer."""
    faults = list(default_faults(value))
    if faults:
        raise Invalid("the default answer cannot be used", faults)


def default_to(value: DefaultAnswer | None) -> dict[str, Any] | None:
    """A default answer as it is written in JSON."""
    return None if value is None else {"value": float(value.value), "reason": value.reason}


def default_from(document: Mapping[str, Any]) -> DefaultAnswer | None:
    """The default answer in a document's `default`; None without one.

    Raises:
        ValueError: When it is none that may be answered.
    """
    said = document.get("default")
    if said is None:
        return None
    found = DefaultAnswer(float(said["value"]), str(said["reason"]))
    faults = list(default_faults(found))
    if faults:
        raise ValueError("; ".join(map(str, faults)))
    return found


def reason_of(why: str, default: DefaultAnswer | None) -> str:
    """What the log says of a default answer: why nothing else could answer, and where the number comes from."""
    return why if default is None else f"{why}{SAID}{default.reason}"


def why_of(reason: str) -> str:
    """The part of a logged reason that says why nothing else could answer."""
    return reason.partition(SAID)[0]
