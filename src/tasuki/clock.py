"""Where the time comes from: the machine, or a clock that a test or the demo moves by hand. Always UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the present moment, timezone-aware, in UTC."""


def system_clock() -> datetime:
    """The machine's own time."""
    return datetime.now(UTC)


class MovableClock:
    """A clock that stands still until it is moved: for tests, and for the demo's weeks that pass in seconds."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def __call__(self) -> datetime:
        """The moment the clock stands at."""
        return self._now

    def advance(self, *, days: float = 0.0, hours: float = 0.0, minutes: float = 0.0, seconds: float = 0.0) -> datetime:
        """Moves the clock forward and returns the new moment. Never backward: negative steps raise `ValueError`."""
        step = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if step < timedelta(0):
            raise ValueError(f"a clock does not go backward (asked for {step})")
        self._now += step
        return self._now


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and `Z`, so that text order is time order."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """The moment written by `to_text`, or any ISO 8601 text with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
