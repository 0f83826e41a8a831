"""The features a model file can declare: each a frozen value that names the columns it reads.

`tasuki.models.encoding` computes them, `tasuki.models.counting` counts over windows.
"""

import re
from dataclasses import dataclass
from typing import Literal

InputType = Literal["number", "category", "time"]
"""What an inference request must give for a column: a number, a text (or whole number, or true/false), or a moment."""

TIME_PARTS = ("day_of_week", "hour_of_week", "day_of_month", "month")
_DURATION = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS_US = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}


@dataclass(frozen=True)
class Category:
    """One column as a category."""

    column: str
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return self.column

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return ((self.column, "category"),)


@dataclass(frozen=True)
class Cross:
    """The combination of several columns as one category."""

    columns: tuple[str, ...]
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return "×".join(self.columns)

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return tuple((column, "category") for column in self.columns)


@dataclass(frozen=True)
class HourOfDay:
    """The hour 0..23 of a moment, on the clock `utc_offset_hours` ahead of UTC, as a category."""

    column: str
    utc_offset_hours: float = 0.0
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return f"hour_of_day({self.column})"

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return ((self.column, "time"),)


@dataclass(frozen=True)
class TimePart:
    """A part of a moment, on the clock `utc_offset_hours` ahead of UTC, as a category."""

    column: str
    part: str
    utc_offset_hours: float = 0.0
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return f"{self.part}({self.column})"

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return ((self.column, "time"),)


@dataclass(frozen=True)
class Number:
    """A number: by the bin it falls in, or, without bins, standardised with the training rows' mean and deviation."""

    column: str
    bins: tuple[float, ...] = ()
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return self.column

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return ((self.column, "number"),)


@dataclass(frozen=True)
class CountOver(Number):
    """How many events of the same `by` lie in the window before a row's moment: a number like any other once counted.

    Online the client gives the number under the feature's name; training counts it from the table. Both are the same
    definition: events in [moment − window, moment − lag), so that a row never counts itself or what came later.
    """

    by: str = ""
    window: str = ""
    event: str | None = None
    lag: str = "0h"

    @property
    def window_us(self) -> int:
        """The window in microseconds."""
        return duration_us(self.window)

    @property
    def lag_us(self) -> int:
        """The lag in microseconds."""
        return duration_us(self.lag)


Feature = Category | Cross | HourOfDay | TimePart | Number | CountOver


def category(column: str, *, online: bool = True, nullable: bool = False) -> Category:
    """A column as a category: app, slot, device.

    Args:
        column: The column's name, the same in the training table and in inference requests.
        online: Whether the inference service can have it in time; one that it cannot is refused at publication.
        nullable: Whether it may be null; null is then a category of its own.
    """
    return Category(column, online, nullable)


def cross(*columns: str, online: bool = True, nullable: bool = False) -> Cross:
    """The combination of two or more columns as one category, for tastes that neither column shows alone.

    Args:
        columns: The columns' names, in any order that then stays.
        online: Whether the inference service can have all of them in time.
        nullable: Whether they may be null.
    """
    return Cross(columns, online, nullable)


def hour_of_day(
    column: str, *, utc_offset_hours: float = 0.0, online: bool = True, nullable: bool = False
) -> HourOfDay:
    """The hour of day of a moment as a category.

    Args:
        column: A timestamp column; requests give ISO 8601 with a time zone.
        utc_offset_hours: The clock people live by: 9 for Japan. Training and serving always use the same.
        online: Whether the inference service can have it in time.
        nullable: Whether it may be null; null is then an hour of its own.
    """
    return HourOfDay(column, utc_offset_hours, online, nullable)


def number(column: str, *, bins: tuple[float, ...] = (), online: bool = True, nullable: bool = False) -> Number:
    """A number.

    Args:
        column: The column's name.
        bins: Ascending edges; a value equal to an edge belongs to the bin above it. Linear models learn one weight per
            bin, which lets them follow a curve. Without bins the standardised value itself is used.
        online: Whether the inference service can have it in time.
        nullable: Whether it may be null; null is then a bin of its own.
    """
    return Number(column, tuple(bins), online, nullable)


def time_part(
    column: str, part: str, *, utc_offset_hours: float = 0.0, online: bool = True, nullable: bool = False
) -> TimePart:
    """Another part of a moment as a category.

    Args:
        column: A timestamp column; requests give ISO 8601 with a time zone.
        part: day_of_week (Monday is 0), hour_of_week (Monday 00:00 to 00:59 is 0), day_of_month or month.
        utc_offset_hours: The clock people live by: 9 for Japan.
        online: Whether the inference service can have it in time.
        nullable: Whether it may be null; null is then a part of its own.
    """
    return TimePart(column, part, utc_offset_hours, online, nullable)


def day_of_week(column: str, *, utc_offset_hours: float = 0.0, online: bool = True, nullable: bool = False) -> TimePart:
    """The day of the week of a moment as a category: Monday is 0. Arguments as in `time_part`."""
    return TimePart(column, "day_of_week", utc_offset_hours, online, nullable)


def count_over(
    window: str,
    *,
    by: str,
    event: str | None = None,
    lag: str = "0h",
    name: str = "",
    bins: tuple[float, ...] = (),
    online: bool = True,
    nullable: bool = False,
) -> CountOver:
    """How many earlier rows (or events) of the same unit lie in a window before the row's moment.

    Training counts from the table. A request carries the number, under the feature's name, as the client or its
    feature store counts it; `tasuki.models.counting.WindowCounter` is that count for one row at a time.

    Args:
        window: How far back: a whole number with m, h, d or w, as "24h" or "7d".
        by: The column whose value must be the same, usually the unit.
        event: The column with the moment of what is counted, null where it did not happen: "clicked_at" counts earlier
            clicks. The model's own time column by default: earlier rows.
        lag: How old an event must be to count. Give what the online count lags behind, so that training does not know
            more than serving will.
        name: The name under which requests give it; made of the arguments by default.
        bins: As in `number`.
        online: Whether the client can give it in time.
        nullable: Whether it may be null, where `by` is null or the client could not count.
    """
    made = "_".join(
        ["count", window, "by", by, *(["of", event] if event else []), *([] if lag == "0h" else ["lag", lag])]
    )
    return CountOver(name or made, tuple(bins), online, nullable, by, window, event, lag)


def duration_us(text: str) -> int:
    """A duration such as "30m", "24h", "7d" or "2w" in microseconds.

    Raises:
        ValueError: When it is none.
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    return int(found[1]) * _UNITS_US[found[2]]
