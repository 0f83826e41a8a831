"""The calendar as a value: lanes with bars from a first day on; and as it was drawn last, for as long as that holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from markupsafe import Markup

from tasuki.experiments.booking import FreedSlot, Slot, SlotCalendar
from tasuki.flow.plan import Member
from tasuki.language import Language

WEEKS_SHOWN = 12
_LETTER = 6.5 / 900
"""The width of a letter of a name, as a share of the drawing; below that width the names stand above their bars."""
_MOST_KEPT = 8
NamePlace = Literal["after", "before", "line"]


@dataclass(frozen=True)
class Bar:
    """A slot on the calendar.

    Args:
        slot: What is booked.
        offset: How many days it begins after the first one shown.
        days: How many of its days are shown.
        position: Its place in the queue.
        name_at: Where its name is written: `after` or `before` the bar, or right of the `line` of today, so that the
            line goes through no name.
        sooner: The day on which it could begin now, where that is before its own.
    """

    slot: Slot
    offset: int
    days: int
    position: int | None
    name_at: NamePlace
    sooner: date | None


@dataclass(frozen=True)
class Lane:
    """A lane of the calendar and what is in it, one row for each slot that stands beside another.

    `freed` are days that were given back and that nobody has taken since.
    """

    name: str
    capacity: int
    bars: tuple[Bar, ...]
    free_from: date
    freed: tuple[FreedSlot, ...]


@dataclass(frozen=True)
class CalendarView:
    """The lanes from a first day on."""

    first: date
    last: date
    weeks: tuple[date, ...]
    lanes: tuple[Lane, ...]
    today_offset: int


def view_of(calendar: SlotCalendar, weeks: int = WEEKS_SHOWN) -> CalendarView:
    """The calendar from four weeks ago on."""
    first = calendar.today - timedelta(days=calendar.today.weekday() + 28)
    last = first + timedelta(days=7 * weeks - 1)
    names = dict.fromkeys(
        [*(slot.lane for slot in calendar.slots), *(one.lane for one in calendar.freed), "ab1", "ab2"]
    )
    return CalendarView(
        first,
        last,
        tuple(first + timedelta(days=7 * week) for week in range(weeks)),
        tuple(_lane(calendar, name, first, last) for name in sorted(names)),
        (calendar.today - first).days,
    )


def _lane(calendar: SlotCalendar, name: str, first: date, last: date) -> Lane:
    shown = [slot for slot in calendar.slots if slot.lane == name and slot.last >= first and slot.first <= last]
    bars = tuple(_bar(calendar, slot, first, last) for slot in shown)
    free_from = calendar.free_from(name, 7, calendar.today)
    return Lane(name, calendar.capacity.get(name, 1), bars, free_from, calendar.still_free(name))


def _bar(calendar: SlotCalendar, slot: Slot, first: date, last: date) -> Bar:
    offset = max(0, (slot.first - first).days)
    days = (min(slot.last, last) - max(slot.first, first)).days + 1
    position = calendar.position(slot.idea, slot.experiment) if slot.state == "booked" else None
    whole, line, end = (last - first).days + 1, (calendar.today - first).days, offset + days
    needs = (len(slot.experiment) + 2) * _LETTER * whole
    name_at: NamePlace = "line"
    if end + needs <= whole and not end <= line < end + needs:
        name_at = "after"
    elif offset >= needs and not offset - needs < line <= offset:
        name_at = "before"
    return Bar(slot, offset, days, position, name_at, calendar.sooner(slot))


@dataclass(frozen=True)
class DrawnLanes:
    """The lanes of one calendar for readers of one language, as the template asks for them.

    Args:
        view: What is drawn.
        reader: What the drawing depends on besides: the language, and what the members are called.
        drawn: How it was drawn for each.
    """

    view: CalendarView
    reader: tuple[Language, tuple[Member, ...]]
    drawn: dict[tuple[Language, tuple[Member, ...]], Markup] = field(default_factory=dict)

    def get(self) -> Markup | None:
        """How the lanes were drawn before; None when they were not."""
        return self.drawn.get(self.reader)

    def keep(self, drawn: Markup) -> Markup:
        """Keeps how the lanes were drawn, and gives it back."""
        if len(self.drawn) >= _MOST_KEPT:
            self.drawn.clear()
        self.drawn[self.reader] = drawn
        return drawn


class KeptCalendar:
    """The calendar that was asked for last: drawn again when a slot, the rules or the day is another.

    Most of what is written books nothing. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._latest: tuple[SlotCalendar, DrawnLanes] | None = None

    def lanes(self, calendar: SlotCalendar, language: Language, members: Mapping[str, Member]) -> DrawnLanes:
        """The lanes of the calendar, as far as they were drawn for a reader of this language and team."""
        latest, reader = self._latest, (language, tuple(members.values()))
        if latest is None or latest[0] != calendar:
            latest = self._latest = calendar, DrawnLanes(view_of(calendar), reader)
        return DrawnLanes(latest[1].view, reader, latest[1].drawn)
