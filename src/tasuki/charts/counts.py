"""Counts as bars, with a mark where each was expected."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasuki.charts.frame import FONT_PX, Frame, Spec, data, framed, shortened

_STEP_PX = 30


@dataclass(frozen=True)
class Count:
    """One bar: its name, how many, and how many were expected."""

    label: str
    value: float
    expected: float | None = None
    text: str = ""


def counts(bars: Sequence[Count], frame: Frame, title: str = "") -> Spec:
    """Bars from the left, largest scale shared, with an upright where each was expected."""
    top = max([1.0, *(max(one.value, one.expected or 0.0) for one in bars)])
    left = 92 if frame.is_narrow else 180
    span = [left, frame.width_px - (72 if frame.is_narrow else 150)]
    x = {"type": "quantitative", "scale": {"domain": [0, top], "range": span}, "axis": None}
    place = {"type": "quantitative", "axis": None, "scale": {"domain": [0, len(bars)], "reverse": True}}
    rows = [_row(at, one, frame) for at, one in enumerate(bars)]
    text = {"type": "text", "baseline": "middle", "fontSize": FONT_PX}
    middle = {"field": "middle", **place}
    ends = {"y": {"field": "top", **place}, "y2": {"field": "under"}}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "bar", "color": frame.theme.neutral, "opacity": 0.85},
            "encoding": {"x": {"field": "zero", **x}, "x2": {"field": "value"}, **ends},
        },
        {
            "transform": [{"filter": "isValid(datum.expected)"}],
            "mark": {"type": "rule", "color": frame.theme.ink, "strokeWidth": 2},
            "encoding": {"x": {"field": "expected", **x}, **ends},
        },
        {
            "mark": {**text, "align": "left"},
            "encoding": {"x": {"value": 2}, "y": middle, "text": {"field": "label"}},
        },
        {
            "mark": {**text, "align": "right", "color": frame.theme.quiet},
            "encoding": {"x": {"value": frame.width_px - 4}, "y": middle, "text": {"field": "text"}},
        },
    ]
    return framed(frame, _STEP_PX * len(bars), {"data": data(rows), "layer": layers, "padding": 2}, title)


def _row(at: int, one: Count, frame: Frame) -> dict[str, Any]:
    row: dict[str, Any] = {
        "zero": 0,
        "value": one.value,
        "middle": at + 0.5,
        "top": at + 0.2,
        "under": at + 0.8,
        "label": shortened(one.label, 13 if frame.is_narrow else 26),
        "text": one.text or frame.formats.number(one.value),
    }
    if one.expected is not None:
        row["expected"] = one.expected
    return row
