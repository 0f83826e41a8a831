"""How the values of units are spread, arm beside arm."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from tasuki.charts.frame import Frame, Spec, axis_format, data, framed, shortened

HEIGHT_PX = 220


@dataclass(frozen=True)
class Spread:
    """The bins of one arm.

    Args:
        name: The arm.
        shares: The share of the arm's units in each bin; they need not add up to 1, since some lie outside.
        below: The share that lies below the first bin.
    """

    name: str
    shares: tuple[float, ...]
    below: float = 0.0


def distribution(
    arms: Sequence[Spread], edges: Sequence[float], frame: Frame, *, is_log: bool = False, title: str = ""
) -> Spec:
    """A stepped line for each arm over the same bins.

    Args:
        arms: Control first.
        edges: One more than there are bins, rising; above 0 on a logarithmic scale.
        frame: Language, colours and width.
        is_log: Whether the bins are of equal width in logarithms.
        title: What is counted.
    """
    rows = [
        {"value": edge, "share": share, "arm": shortened(one.name, 24)}
        for one in arms
        for edge, share in zip(edges, (*one.shares, one.shares[-1]), strict=True)
    ]
    return _lines(arms, rows, edges, frame, (is_log, "step-after", title or frame.words("distribution.share")))


def cumulative(
    arms: Sequence[Spread], edges: Sequence[float], frame: Frame, *, is_log: bool = False, title: str = ""
) -> Spec:
    """The share of units up to each value, for each arm."""
    rows = [
        {"value": edge, "share": reached, "arm": shortened(one.name, 24)}
        for one in arms
        for edge, reached in zip(edges, accumulate(one.shares, initial=one.below), strict=True)
    ]
    return _lines(arms, rows, edges, frame, (is_log, "linear", title or frame.words("distribution.reached")))


def _lines(
    arms: Sequence[Spread],
    rows: list[dict[str, Any]],
    edges: Sequence[float],
    frame: Frame,
    how: tuple[bool, str, str],
) -> Spec:
    is_log, interpolate, title = how
    names = [shortened(one.name, 24) for one in arms]
    colours = [frame.theme.arms[at % len(frame.theme.arms)] for at in range(len(names))]
    dashes = [[1, 0] if at % 2 else [5, 3] for at in range(len(names))]
    top = max((row["share"] for row in rows), default=1.0)
    scale: dict[str, Any] = {"domain": [edges[0], edges[-1]], "nice": False, "zero": False}
    if is_log:
        scale["type"] = "log"
    axis: dict[str, Any] = {"title": None, "grid": False, "tickCount": 5, "labelOverlap": True}
    axis["format"] = "~g" if is_log or edges[-1] - edges[0] < 10 else ",~f"
    legend = {"symbolType": "stroke", "columns": 1 if frame.is_narrow else 4}
    encoding = {
        "x": {"field": "value", "type": "quantitative", "scale": scale, "axis": axis},
        "y": {
            "field": "share",
            "type": "quantitative",
            "scale": {"zero": True},
            "axis": {"format": axis_format("percent", top, is_signed=False), "tickCount": 4, "title": None},
        },
        "color": {
            "field": "arm",
            "type": "nominal",
            "scale": {"domain": names, "range": colours},
            "legend": legend,
        },
        "strokeDash": {
            "field": "arm",
            "type": "nominal",
            "scale": {"domain": names, "range": dashes},
            "legend": legend,
        },
    }
    mark = {"type": "line", "interpolate": interpolate, "strokeWidth": 2}
    return framed(frame, HEIGHT_PX, {"data": data(rows), "mark": mark, "encoding": encoding}, title)
