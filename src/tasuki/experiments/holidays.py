"""Days on which people behave otherwise, as the team's own data, and windows of an experiment clear of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from tasuki.errors import Fault, Invalid, said

SEARCHED_DAYS = 400
"""How far ahead a clean window is looked for."""


@dataclass(frozen=True)
class Holiday:
    """A day, and what it is."""

    day: date
    title: str


@dataclass(frozen=True)
class Window:
    """The days of a planned experiment.

    Args:
        first: The first day.
        last: The last day on which units are exposed.
        ready: The day on which its labels are mature and it can be decided.
        holidays: The holidays from the first to the last day.
        next_clean: The first day of the next window as long without a holiday; None when this one is clean, or none is
            found within the days that are searched.
    """

    first: date
    last: date
    ready: date
    holidays: tuple[Holiday, ...]
    next_clean: date | None


def planned_window(first: date, days: int, label_delay_days: int, holidays: Sequence[Holiday]) -> Window:
    """The window of an experiment that begins on a day.

    Args:
        first: The first day.
        days: How many days it runs.
        label_delay_days: Days until the labels of the last day are mature.
        holidays: The team's.
    """
    last = first + timedelta(days=days - 1)
    inside = tuple(one for one in sorted(holidays, key=lambda one: one.day) if first <= one.day <= last)
    days_off = {one.day for one in holidays}
    clean = None
    if inside:
        starts = (first + timedelta(days=n) for n in range(1, SEARCHED_DAYS))
        clean = next((day for day in starts if not _meets(day, days, days_off)), None)
    return Window(first, last, last + timedelta(days=1 + label_delay_days), inside, clean)


def _meets(first: date, days: int, days_off: set[date]) -> bool:
    return any(first + timedelta(days=n) in days_off for n in range(days))


def read_holidays(document: Mapping[str, Any]) -> tuple[Holiday, ...]:
    """The holidays in a parsed calendar: `[[holiday]]` with `date`, or `from` and `to`, and `title`.

    Raises:
        Invalid: With every fault at once.
    """
    faults = [Fault(name, "is no part of a calendar", "[[holiday]]") for name in document if name != "holiday"]
    entries = document.get("holiday", [])
    if not isinstance(entries, list):
        raise Invalid("the calendar cannot be used", [*faults, Fault("holiday", "is no list", "[[holiday]]")])
    found: list[Holiday] = []
    for at, entry in enumerate(entries):
        found += _days(entry, f"holiday.{at}", faults)
    if faults:
        raise Invalid("the calendar cannot be used", faults)
    return tuple(sorted(set(found), key=lambda one: (one.day, one.title)))


def _days(entry: Any, where: str, faults: list[Fault]) -> list[Holiday]:
    if not isinstance(entry, dict):
        faults.append(Fault(where, "is no table", "date and title"))
        return []
    title = entry.get("title")
    if not isinstance(title, str) or not title.strip():
        faults.append(Fault(f"{where}.title", "missing", "what the day is"))
    strange = set(entry) - {"date", "from", "to", "title"}
    faults += [Fault(f"{where}.{name}", "is not known", "date, or from and to, and title") for name in sorted(strange)]
    first, last = entry.get("from", entry.get("date")), entry.get("to", entry.get("date"))
    if not isinstance(first, date) or not isinstance(last, date) or not _are_days(first, last):
        faults.append(
            Fault(
                where,
                said("{first} to {last} are no days", first=first, last=last),
                "date = 2026-05-03, or from and to",
            )
        )
        return []
    return [Holiday(first + timedelta(days=n), str(title)) for n in range((last - first).days + 1)]


def _are_days(first: date, last: date) -> bool:
    return not isinstance(first, datetime) and not isinstance(last, datetime) and first <= last


def window_lines(window: Window) -> tuple[tuple[str, str], ...]:
    """The window as names and texts, for a table."""
    lines = [("window", f"{window.first} to {window.last}, decided from {window.ready} on")]
    if window.holidays:
        named = ", ".join(f"{one.day} {one.title}" for one in window.holidays)
        clean = window.next_clean or f"none within {SEARCHED_DAYS} days"
        lines += [("WARNING: holidays in it", named), ("next window without one", f"begins {clean}")]
    return tuple(lines)
