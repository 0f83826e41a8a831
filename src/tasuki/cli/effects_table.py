"""Effects on a terminal: a table for each treatment arm, with a small chart of intervals where there is room for it."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from tasuki.cli.output import console

if TYPE_CHECKING:
    from tasuki.experiments.comparison import Result

CHART_CELLS = 25
_ROOM_CELLS = 84
"""Names and numbers need about so much; a chart stands beside them in wider terminals."""

_LEAST_NAME = 8
_GAP = "  "
_FAR = 2.5
_LARGE = 9.995
"""Shares from ten times on are written out, not as powers of ten."""

_COLOURS = {"gain": "green", "holds": "green", "harm": "red", "broken": "red", "open": "yellow"}


def show_effects(results: Sequence["Result"], alpha: float) -> None:
    """All effects of one treatment arm after the other; below them, by each segment column, metric by metric."""
    for arm in dict.fromkeys(one.treatment_arm for one in results):
        mine = [one for one in results if one.treatment_arm == arm]
        place = {metric: at for at, metric in enumerate(dict.fromkeys(one.metric for one in mine))}
        for column in dict.fromkeys(_column_of(one) for one in mine):
            rows = sorted((one for one in mine if _column_of(one) == column), key=lambda one: place[one.metric])
            by = "" if column is None else f", by {column}"
            _print(rows, alpha, f"{arm} against {rows[0].control_arm}{by}")


def _column_of(one: "Result") -> str | None:
    return None if one.segment is None else one.segment.split("=", 1)[0]


def _print(results: Sequence["Result"], alpha: float, title: str) -> None:
    """Numbers stand in columns; a name that has no room before them stands whole on a line of its own."""
    from tasuki.reports.voice import state_of

    heads = ["control", "treatment", "relative", f"{100 * (1 - alpha):g} % interval", "adj. p"]
    numbers = [_numbers(one) for one in results]
    widths = [max(cell_len(one[at]) for one in (heads, *numbers)) for at in range(len(heads))]
    has_chart = console.width >= _ROOM_CELLS + CHART_CELLS
    chart = len(_GAP) + CHART_CELLS if has_chart else 0
    room = max(_LEAST_NAME, console.width - sum(widths) - len(_GAP) * len(widths) - chart)
    labels = list(_labels(results))
    fitting = [cell_len(name) for _, name in labels if cell_len(name) <= room]
    width = max([_LEAST_NAME, *fitting])
    reach = _reach(results)
    first = "metric" if results[0].segment is None else ""
    _line(Text(title, style="bold"))
    _line(Text(_row(first, width, heads, widths), style="bold"))
    for one, cells, (heading, name) in zip(results, numbers, labels, strict=True):
        colour = _COLOURS.get(state_of(one, alpha), "")
        if heading:
            _line(Text(heading))
        has_room = cell_len(name) <= width
        if not has_room:
            _line(Text(name, style=colour))
        strip = _GAP + _strip(one, reach) if has_chart else ""
        _line(Text(_row(name if has_room else "", width, cells, widths) + strip, style=colour))
    console.print()


def _line(text: Text) -> None:
    text.rstrip()
    console.print(text, overflow="fold" if cell_len(text.plain) > console.width else None)


def _labels(results: Sequence["Result"]) -> "Iterator[tuple[str, str]]":
    """Before each row: a metric's name on a line of its own where its segments begin, and the name of the row."""
    before = None
    for one in results:
        name = one.metric + (" (guardrail)" if one.margin is not None else "")
        if one.segment is None:
            yield "", name
        else:
            yield ("" if name == before else name), "  " + one.segment.split("=", 1)[1]
        before = name


def _row(name: str, width: int, cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [" " * (size - cell_len(cell)) + cell for cell, size in zip(cells, widths, strict=True)]
    return _GAP.join([name + " " * (width - cell_len(name)), *padded])


def _numbers(one: "Result") -> list[str]:
    shown = _percent if one.kind == "proportion" else _number
    p = one.p_value if one.p_value_adjusted is None else one.p_value_adjusted
    if is_absolute(one):
        effect = [_signed(one.effect), f"[{_signed(one.effect_low)}, {_signed(one.effect_high)}]"]
    else:
        low, high = (_change(bound) for bound in (one.relative_low, one.relative_high))
        known = not (one.relative_low is None and one.relative_high is None)
        effect = [_change(one.relative), f"[{low}, {high}]" if known else "–"]
    return [shown(one.control), shown(one.treatment), *effect, "–" if p is None else f"{p:.2g}"]


def is_absolute(one: "Result") -> bool:
    """Whether the effect stands in its own unit in the columns of shares, as its share has no interval."""
    return one.relative_low is None and one.relative_high is None and one.effect_low is not None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4g}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.4g}%"


def _change(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{100 * share:+.3g}%" if abs(share) < _LARGE else f"{100 * share:+,.0f}%"


def _reach(results: Sequence["Result"]) -> float:
    """How far from zero the chart goes; one very wide interval must not press the others together."""
    furthest = [max(abs(one.relative_low or 0.0), abs(one.relative_high or 0.0)) for one in results]
    known = [one for one in furthest if one > 0]
    return min(max(known), _FAR * median(known)) if known else 1.0


def _strip(one: "Result", reach: float) -> str:
    """An interval as characters around zero: `──●──│`, with arrows where it goes on."""
    if one.relative is None or one.relative_low is None or one.relative_high is None:
        return ""
    middle = CHART_CELLS // 2

    def place(share: float) -> int:
        return middle + round(max(-1.0, min(1.0, share / reach)) * middle)

    cells = [" "] * CHART_CELLS
    low, high = place(one.relative_low), place(one.relative_high)
    cells[low : high + 1] = "─" * (high - low + 1)
    cells[middle] = "┼" if low <= middle <= high else "│"
    if one.relative_low < -reach:
        cells[0] = "◂"
    if one.relative_high > reach:
        cells[-1] = "▸"
    cells[place(one.relative)] = "●"
    return "".join(cells)
