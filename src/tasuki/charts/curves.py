"""Curves: power by effect or by days, the smallest effect by weeks, and calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasuki.charts.frame import Frame, Spec, Unit, axis_format, data, framed

HEIGHT_PX = 220
Along = Literal["effect", "effect_absolute", "days"]


@dataclass(frozen=True)
class CalibrationPoint:
    """Rows of about the same prediction: what was predicted, what was seen, and its interval."""

    predicted: float
    observed: float
    low: float
    high: float


def power_curve(
    points: Sequence[tuple[float, float]],
    frame: Frame,
    *,
    along: Along = "effect",
    target: float = 0.8,
    chosen: float | None = None,
) -> Spec:
    """The chance to find the effect, along effects or days.

    Args:
        points: Effect (or days) and power, rising.
        frame: Language, colours and width.
        along: What the points run along.
        target: The power asked for, drawn as a level.
        chosen: The effect (or days) of the plan, drawn as an upright.
    """
    y = {
        "field": "y",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "tickCount": 5, "title": None, "domain": False},
    }
    x = _along(points, "number" if along in ("days", "effect_absolute") else "percent", frame.words(f"power.{along}"))
    theme = frame.theme
    layers = [_line(points, x, y, theme.neutral), _level(target, y, theme.quiet)]
    if chosen is not None:
        layers.append(_upright(chosen, x, theme.gain))
    return framed(frame, HEIGHT_PX, {"layer": layers}, frame.words("power.power"))


def detectable_curve(points: Sequence[tuple[float, float]], frame: Frame, unit: Unit = "percent") -> Spec:
    """The smallest effect that can be found, by days."""
    top = max((effect for _, effect in points), default=1.0)
    y = {
        "field": "y",
        "type": "quantitative",
        "scale": {"zero": True},
        "axis": {"format": axis_format(unit, top, is_signed=False), "tickCount": 5, "title": None, "domain": False},
    }
    x = _along(points, "number", frame.words("power.days"))
    dots = {
        **_line(points, x, y, frame.theme.neutral),
        "mark": {"type": "point", "filled": True, "size": 50, "color": frame.theme.neutral, "opacity": 1},
    }
    body = {"layer": [_line(points, x, y, frame.theme.neutral), dots]}
    return framed(frame, HEIGHT_PX, body, frame.words("power.detectable"))


def calibration(series: Sequence[tuple[str, Sequence[CalibrationPoint]]], frame: Frame, title: str = "") -> Spec:
    """Observed by predicted rates, with intervals, beside the line of a perfect model."""
    rows: list[dict[str, Any]] = [
        {"model": name, "predicted": one.predicted, "observed": one.observed, "low": one.low, "high": one.high}
        for name, points in series
        for one in points
    ]
    top = max([1e-9, *(max(row["predicted"], row["high"]) for row in rows)])
    names = [name for name, _ in series]
    axis = {"format": axis_format("percent", top, is_signed=False), "tickCount": 4, "labelOverlap": True}
    sides = {"type": "quantitative", "scale": {"domain": [0, top]}}
    x = {"field": "predicted", **sides, "axis": {**axis, "title": frame.words("calibration.predicted")}}
    y = {"field": "observed", **sides, "axis": {**axis, "title": frame.words("calibration.observed")}}
    colour = {
        "field": "model",
        "type": "nominal",
        "scale": {"domain": names, "range": list(frame.theme.arms[: len(names)])},
    }
    perfect = [{"predicted": 0, "observed": 0}, {"predicted": top, "observed": top}]
    line = {"type": "line", "color": frame.theme.quiet, "strokeDash": [4, 3], "strokeWidth": 1.5}
    layers = [
        {"data": data(perfect), "mark": line, "encoding": {"x": x, "y": y}},
        {
            "mark": {"type": "rule", "strokeWidth": 1.5},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
        },
        {
            "mark": {"type": "line", "point": {"size": 40, "filled": True}, "strokeWidth": 2},
            "encoding": {"x": x, "y": y, "color": colour},
        },
    ]
    return framed(frame, HEIGHT_PX + 40, {"data": data(rows), "layer": layers}, title)


def _along(points: Sequence[tuple[float, float]], unit: Unit, title: str) -> dict[str, Any]:
    ends = [min(x for x, _ in points), max(x for x, _ in points)]
    span = max(abs(one) for one in ends)
    whole = unit == "number" and span >= 10
    form = ",.0f" if whole else axis_format(unit, span, is_signed=False)
    axis = {"format": form, "tickCount": 6, "title": title, "grid": False}
    return {"field": "x", "type": "quantitative", "scale": {"domain": ends, "nice": False, "zero": False}, "axis": axis}


def _line(points: Sequence[tuple[float, float]], x: Any, y: Any, colour: str) -> dict[str, Any]:
    rows = [{"x": at, "y": value} for at, value in points]
    mark = {"type": "line", "color": colour, "strokeWidth": 2.5, "interpolate": "monotone"}
    return {"data": data(rows), "mark": mark, "encoding": {"x": x, "y": y}}


def _level(at: float, y: Any, colour: str) -> dict[str, Any]:
    mark = {"type": "rule", "color": colour, "strokeWidth": 1.5, "strokeDash": [4, 3]}
    return {"data": data([{"y": at}]), "mark": mark, "encoding": {"y": y}}


def _upright(at: float, x: Any, colour: str) -> dict[str, Any]:
    mark = {"type": "rule", "color": colour, "strokeWidth": 2}
    return {"data": data([{"x": at}]), "mark": mark, "encoding": {"x": x}}
