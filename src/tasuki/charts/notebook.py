"""Charts inside a notebook's output, on a ground of their own, since a notebook's colours are not known."""

from collections.abc import Sequence

from tasuki.charts.draw import can_draw, to_svg
from tasuki.charts.forest import Interval, forest
from tasuki.charts.frame import LIGHT, Frame

MOST_DRAWN = 30


def notebook_forest(rows: Sequence[Interval], title: str) -> str:
    """A forest of at most so many rows as HTML; nothing without rows, or where the drawing library is missing."""
    if not rows or not can_draw():
        return ""
    spec = forest(rows[:MOST_DRAWN], Frame(theme=LIGHT), title=title)
    svg = to_svg(spec, f"{title}; the table has the numbers.", "effects")
    return f'<div style="background:{LIGHT.ground};max-width:740px;padding:8px">{svg}</div>'
