"""Effects with their intervals, one under the other: what a reader of a comparison looks at first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tasuki.charts.frame import (
    FONT_PX,
    Frame,
    Spec,
    Unit,
    Verdict,
    axis_format,
    data,
    decimals_of,
    framed,
    shortened,
    zero_without_sign,
)

LABEL_PX, VALUE_PX = 256, 186
_WIDE_STEP, _NARROW_STEP, _AXIS_PX = 34, 58, 34
_FAR = 2.5
"""An interval that reaches so many times as far as a typical one is cut, so that the others can still be read."""

_SHAPES: Mapping[Verdict, str] = {"gain": "circle", "harm": "diamond", "open": "circle"}


@dataclass(frozen=True)
class Interval:
    """One effect with its interval.

    Args:
        label: What it is of.
        point: The effect; None where there is none.
        low: Lower bound; None where it is open or unknown.
        high: Upper bound; None where it is open or unknown.
        verdict: Whether it is a gain, a harm, or undecided.
        limit: Where a guardrail's margin lies.
        value: The effect in words, shown beside it; written from the numbers when empty.
    """

    label: str
    point: float | None
    low: float | None
    high: float | None
    verdict: Verdict = "open"
    limit: float | None = None
    value: str = ""


def forest(rows: Sequence[Interval], frame: Frame, unit: Unit = "percent", title: str = "") -> Spec:
    """Intervals around no effect. Undecided points are hollow, gains full circles, harms diamonds.

    Args:
        rows: From top to bottom.
        frame: Language, colours and width. In a narrow one labels stand above their interval.
        unit: `percent` where the numbers are shares.
        title: What the numbers are.
    """
    low, high = _domain(rows)
    step = _NARROW_STEP if frame.is_narrow else _WIDE_STEP
    height = step * len(rows)
    values = [_row(at, one, frame, unit, (low, high)) for at, one in enumerate(rows)]
    span = [12, frame.width_px - 16] if frame.is_narrow else [LABEL_PX, frame.width_px - VALUE_PX]
    x = {
        "type": "quantitative",
        "scale": {"domain": [low, high], "range": span, "nice": False, "zero": False},
        "axis": {
            "format": axis_format(unit, high - low),
            "labelExpr": zero_without_sign(unit),
            "tickCount": 4,
            "title": None,
            "domain": False,
            "grid": False,
        },
    }
    y = {"field": "at", "type": "quantitative", "axis": None, "scale": {"domain": [0, len(rows)], "reverse": True}}
    # The axis of a layered chart comes from the first layer, the rule at zero.
    # In a narrow chart it is broken where the texts stand.
    zero = {
        "transform": [{"calculate": "0", "as": "zero"}],
        "mark": {"type": "rule", "color": frame.theme.quiet, "strokeWidth": 1},
        "encoding": {"x": {"field": "zero", **x}, "y": {**y, "field": "from"}, "y2": {"field": "to"}},
    }
    layers = [zero, *_marks(frame, x, y), *_texts(frame, y)]
    body = {"data": data(values), "layer": layers, "padding": 2}
    return framed(frame, height + _AXIS_PX, body, title)


def is_cut(spec: Spec) -> bool:
    """Whether an interval of a forest goes on beyond its scale."""
    return any("cut_low" in row or "cut_high" in row for row in spec["data"]["values"])


def _domain(rows: Sequence[Interval]) -> tuple[float, float]:
    bounds = [[abs(b) for b in (one.low, one.high, one.point) if b is not None] for one in rows]
    reaches = [max(one) for one in bounds if one]
    points = [abs(one.point) for one in rows if one.point is not None]
    far = max(_FAR * median(reaches), 1.2 * max(points, default=0.0)) if reaches else 1.0
    seen = [b for one in rows for b in (one.low, one.high, one.point, one.limit) if b is not None]
    low, high = min([0.0, *seen]), max([0.0, *seen])
    low, high = max(low, -far), min(high, far)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _row(at: int, one: Interval, frame: Frame, unit: Unit, domain: tuple[float, float]) -> dict[str, Any]:
    middle = at + (0.78 if frame.is_narrow else 0.5)
    known = one.point is not None and not (one.low is None and one.high is None)
    low, high = (one.low if one.low is not None else domain[0]), (one.high if one.high is not None else domain[1])
    cells = 46 if frame.is_narrow else 39
    row: dict[str, Any] = {
        "at": middle,
        "top": at + 0.2,
        "under": at + 0.46,
        "from": at + (0.6 if frame.is_narrow else 0),
        "to": at + 1,
        "label": shortened(one.label, cells),
        "value": one.value or written(one, frame, unit),
        "verdict": one.verdict,
    }
    if one.point is not None and domain[0] <= one.point <= domain[1]:
        row["point"] = one.point
    if known:
        row |= {"low": _held(low, domain), "high": _held(high, domain)}
        if one.low is None or one.low < domain[0]:
            row["cut_low"] = domain[0]
        if one.high is None or one.high > domain[1]:
            row["cut_high"] = domain[1]
    if one.limit is not None and domain[0] <= one.limit <= domain[1]:
        row |= {"limit": one.limit, "limit_top": middle - 0.3, "limit_under": middle + 0.3}
    return row


def _held(bound: float, domain: tuple[float, float]) -> float:
    return min(max(bound, domain[0]), domain[1])


def written(one: Interval, frame: Frame, unit: Unit) -> str:
    """The effect and its interval as a text."""
    formats = frame.formats

    def show(number: float | None) -> str:
        return formats.percent_change(number, decimals_of(number)) if unit == "percent" else formats.change(number, 3)

    if one.low is None and one.high is None:
        return f"{show(one.point)} ({frame.words('forest.no_interval')})"
    low, high = ("−∞" if one.low is None else show(one.low)), ("+∞" if one.high is None else show(one.high))
    return f"{show(one.point)} [{low}, {high}]"


def _marks(frame: Frame, x: Mapping[str, Any], y: Mapping[str, Any]) -> list[dict[str, Any]]:
    theme = frame.theme
    meaning: list[Verdict] = ["gain", "harm", "open"]
    colours = [theme.gain, theme.harm, theme.neutral]
    colour: dict[str, Any] = {
        "field": "verdict",
        "type": "nominal",
        "scale": {"domain": meaning, "range": colours},
        "legend": None,
    }
    shape: dict[str, Any] = {**colour, "scale": {"domain": meaning, "range": [_SHAPES[one] for one in meaning]}}
    fill = {**colour, "scale": {"domain": meaning, "range": [theme.gain, theme.harm, theme.ground]}}
    arrow: dict[str, Any] = {"type": "point", "filled": True, "size": 50, "opacity": 1}
    cuts: list[dict[str, Any]] = [
        {
            "transform": _where(name),
            "mark": {**arrow, "shape": f"triangle-{side}"},
            "encoding": {"x": {"field": name, **x}, "y": y, "color": colour},
        }
        for name, side in (("cut_low", "left"), ("cut_high", "right"))
    ]
    return [
        {
            "transform": _where("limit"),
            "mark": {"type": "rule", "color": theme.harm, "strokeWidth": 2, "strokeDash": [3, 2]},
            "encoding": {
                "x": {"field": "limit", **x},
                "y": {**y, "field": "limit_top"},
                "y2": {"field": "limit_under"},
            },
        },
        {
            "transform": _where("low"),
            "mark": {"type": "rule", "strokeWidth": 3},
            "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "y": y, "color": colour},
        },
        *cuts,
        {
            "transform": _where("point"),
            "mark": {"type": "point", "size": 75, "strokeWidth": 2.5, "opacity": 1},
            "encoding": {
                "x": {"field": "point", **x},
                "y": y,
                "stroke": colour,
                "fill": fill,
                "shape": shape,
            },
        },
    ]


def _where(name: str) -> list[dict[str, str]]:
    return [{"filter": f"isValid(datum.{name})"}]


def _texts(frame: Frame, y: Mapping[str, Any]) -> list[dict[str, Any]]:
    label: dict[str, Any] = {"type": "text", "align": "left", "baseline": "middle", "fontSize": FONT_PX}
    number: dict[str, Any] = {**label, "color": frame.theme.quiet, "fontSize": FONT_PX - 1}
    left = {"value": 2}
    if frame.is_narrow:
        return [
            {"mark": label, "encoding": {"x": left, "y": {**y, "field": "top"}, "text": {"field": "label"}}},
            {"mark": number, "encoding": {"x": left, "y": {**y, "field": "under"}, "text": {"field": "value"}}},
        ]
    right = {"value": frame.width_px - 4}
    return [
        {"mark": label, "encoding": {"x": left, "y": y, "text": {"field": "label"}}},
        {"mark": {**number, "align": "right"}, "encoding": {"x": right, "y": y, "text": {"field": "value"}}},
    ]
