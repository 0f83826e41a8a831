"""Effects on a terminal: a table for each treatment arm, with a small chart of intervals where there is room for it."""

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from tasuki.cli.output import console

if TYPE_CHECKING:
    from tasuki.experiments.comparison import Result

CHART_CELLS = 25
_ROOM_CELLS = 84
"""Names and numbers need about so much; a chart stands beside them in wider terminals."""

_FAR = 2.5
_COLOURS = {"gain": "green", "holds": "green", "harm": "red", "broken": "red", "open": "yellow"}


def show_effects(results: Sequence["Result"], alpha: float) -> None:
    """All effects, then those by segment, of one treatment arm after the other."""
    arms = dict.fromkeys(one.treatment_arm for one in results)
    for arm in arms:
        for is_segment in (False, True):
            rows = [one for one in results if one.treatment_arm == arm and (one.segment is not None) is is_segment]
            if rows:
                title = f"{arm} against {rows[0].control_arm}" + (", by segment" if is_segment else "")
                console.print(_table(rows, alpha, title))
                console.print()


def _table(results: Sequence["Result"], alpha: float, title: str) -> Table:
    from tasuki.reports.voice import state_of

    by_segment = results[0].segment is not None
    has_chart = console.width >= _ROOM_CELLS + CHART_CELLS
    table = Table(title=escape(title), title_justify="left", title_style="bold", header_style="bold", box=None)
    table.pad_edge = False
    for name in ("metric", *(["segment"] if by_segment else [])):
        table.add_column(name, overflow="fold", min_width=8)
    for name in ("control", "treatment", "relative", f"{100 * (1 - alpha):g} % interval", "adj. p"):
        table.add_column(name, justify="right", no_wrap=True)
    if has_chart:
        table.add_column("", no_wrap=True)
    reach = _reach(results)
    for one in results:
        colour = _COLOURS.get(state_of(one, alpha), "")
        cells = [*_cells(one), *([_strip(one, reach)] if has_chart else [])]
        table.add_row(*(escape(cell) for cell in cells), style=colour)
    return table


def _cells(one: "Result") -> list[str]:
    shown = _percent if one.kind == "proportion" else _number
    names = [one.metric + (" (guardrail)" if one.margin is not None else "")]
    if one.segment is not None:
        names.append(one.segment)
    p = one.p_value if one.p_value_adjusted is None else one.p_value_adjusted
    if one.relative_low is None and one.relative_high is None and one.effect_low is not None:
        # Without a relative interval the effect in its own unit stands there.
        effect = [_signed(one.effect), f"[{_signed(one.effect_low)}, {_signed(one.effect_high)}]"]
    else:
        low, high = (_change(bound) for bound in (one.relative_low, one.relative_high))
        known = not (one.relative_low is None and one.relative_high is None)
        effect = [_change(one.relative), f"[{low}, {high}]" if known else "–"]
    return [*names, shown(one.control), shown(one.treatment), *effect, "–" if p is None else f"{p:.2g}"]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4g}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.4g}%"


def _change(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:+.3g}%"


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
