"""The effect day by day with the band of its interval: has it settled?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tasuki.charts.frame import Frame, Spec, Unit, axis_format, data, framed, zero_without_sign

HEIGHT_PX = 230
_SETTLED_SHARE = 0.4
"""The first days' bands are as wide as the world; the scale follows what comes after them."""


@dataclass(frozen=True)
class DayPoint:
    """The effect over everything seen up to the end of a day, with its bounds; None where it is open or unknown."""

    day: date
    point: float | None
    low: float | None
    high: float | None


def path_with_band(
    points: Sequence[DayPoint], frame: Frame, unit: Unit = "percent", title: str = "", limit: float | None = None
) -> Spec:
    """A line of effects in a band of intervals, around no effect.

    Args:
        points: By day.
        frame: Language, colours and width.
        unit: `percent` where the numbers are shares.
        title: What the numbers are.
        limit: Where a guardrail's margin lies.
    """
    low, high = _domain(points, limit)
    rows = [_row(one, low, high) for one in points]
    axis: dict[str, Any] = {
        "format": "%-m/%-d" if frame.language == "ja" else "%-d %b",
        "values": _ticks(points, 4 if frame.is_narrow else 8),
        "title": None,
        "grid": False,
        "labelFlush": False,
    }
    x = {"field": "day", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}
    y = {
        "type": "quantitative",
        "scale": {"domain": [low, high], "nice": False, "zero": False},
        "axis": {
            "format": axis_format(unit, high - low),
            "labelExpr": zero_without_sign(unit),
            "tickCount": 5,
            "title": None,
            "domain": False,
        },
    }
    theme = frame.theme
    line = {"type": "line", "color": theme.neutral, "strokeWidth": 2.5}
    dot = {"type": "point", "filled": True, "size": 40, "color": theme.neutral, "opacity": 1}
    layers: list[dict[str, Any]] = [
        {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "area", "color": theme.band, "opacity": 0.45},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        _level(0.0, y, theme.quiet),
        *([] if limit is None else [_level(limit, y, theme.harm, dash=[4, 3])]),
        *(
            {
                "transform": [{"filter": "isValid(datum.point)"}],
                "mark": mark,
                "encoding": {"x": x, "y": {**y, "field": "point"}},
            }
            for mark in (line, dot)
        ),
    ]
    return framed(frame, HEIGHT_PX, {"data": data(rows), "layer": layers}, title)


def _level(at: float, y: dict[str, Any], colour: str, dash: list[int] | None = None) -> dict[str, Any]:
    mark = {"type": "rule", "color": colour, "strokeWidth": 1.5, **({"strokeDash": dash} if dash else {})}
    return {"data": data([{"level": at}]), "mark": mark, "encoding": {"y": {"field": "level", **y}}}


def _row(one: DayPoint, low: float, high: float) -> dict[str, Any]:
    row: dict[str, Any] = {"day": one.day.isoformat()}
    if one.point is not None and low <= one.point <= high:
        row["point"] = one.point
    if one.point is not None and not (one.low is None and one.high is None):
        row["low"] = low if one.low is None else min(max(one.low, low), high)
        row["high"] = high if one.high is None else max(min(one.high, high), low)
    return row


def _domain(points: Sequence[DayPoint], limit: float | None) -> tuple[float, float]:
    late = points[int(_SETTLED_SHARE * len(points)) :]
    bounds = [b for one in late for b in (one.low, one.high) if b is not None]
    seen = [one.point for one in late if one.point is not None]
    known = [0.0, *bounds, *seen, *([] if limit is None else [limit])]
    low, high = min(known), max(known)
    room = 0.15 * (high - low) or 1.0
    return low - room, high + room


def _ticks(points: Sequence[DayPoint], most: int) -> list[dict[str, Any]]:
    days = [one.day for one in points]
    every = max(1, -(-len(days) // most))
    # A moment of the specification's own form; text would be read in the machine's time zone.
    return [{"year": one.year, "month": one.month, "date": one.day, "utc": True} for one in days[::every]]
