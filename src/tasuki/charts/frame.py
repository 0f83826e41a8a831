"""How a chart looks: its colours, its width and its language. What is drawn comes from elsewhere."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import floor, log10
from typing import Any, Literal

from tasuki.language import Formats, Language
from tasuki.texts import Texts

Spec = dict[str, Any]
"""A Vega-Lite specification as plain values."""

Unit = Literal["percent", "number"]
Verdict = Literal["gain", "harm", "open"]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""The name of the language that the specification is written in; nothing is fetched from there."""

FONT = "system-ui, -apple-system, 'Segoe UI', 'Hiragino Sans', 'Noto Sans JP', 'Noto Sans CJK JP', Meiryo, sans-serif"
WIDE_PX, NARROW_PX = 716, 304
NARROW_BELOW_PX = 460
FONT_PX = 12


@dataclass(frozen=True)
class Theme:
    """Colours by what they mean. Marks have a contrast of at least 3 to the ground, texts of at least 4.5.

    Args:
        ink: Texts.
        quiet: Texts that stand back, and axes.
        line: Grids.
        ground: What is behind the chart.
        gain: What got better.
        harm: What got worse, and limits.
        neutral: What is undecided.
        band: The area of an interval.
        arms: Control first, then the treatment arms.
    """

    ink: str
    quiet: str
    line: str
    ground: str
    gain: str
    harm: str
    neutral: str
    band: str
    arms: tuple[str, ...]


LIGHT = Theme(
    ink="#1d2430",
    quiet="#5a6070",
    line="#dcd9d0",
    ground="#ffffff",
    gain="#1b6a44",
    harm="#a12d1d",
    neutral="#3b5b8c",
    band="#9db7de",
    arms=("#5a6070", "#1f5fa8", "#9a6a08", "#83429b", "#0f7b83"),
)
DARK = Theme(
    ink="#e8eaee",
    quiet="#a4acb9",
    line="#323843",
    ground="#1c2027",
    gain="#7fd6a4",
    harm="#f5a493",
    neutral="#a9c6f2",
    band="#3f5f92",
    arms=("#a4acb9", "#7fb2f5", "#d8ab4f", "#cb93e0", "#4fc0c7"),
)


def _variable(name: str) -> str:
    return f"--chart-{name}"


STYLED = Theme(
    **{one.name: f"var({_variable(one.name)})" for one in fields(Theme) if one.name != "arms"},
    arms=tuple(f"var({_variable(f'arm-{at}')})" for at in range(len(LIGHT.arms))),
)
"""Colours as variables of the page's style sheet, so that one drawing is right in light and in dark."""


def chart_style() -> str:
    """The style sheet with the variables of `STYLED`, light and dark."""
    light, dark = (" ".join(f"{name}: {colour};" for name, colour in _variables(one)) for one in (LIGHT, DARK))
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"


def _variables(theme: Theme) -> list[tuple[str, str]]:
    plain = [(_variable(one.name), getattr(theme, one.name)) for one in fields(Theme) if one.name != "arms"]
    return [*plain, *((_variable(f"arm-{at}"), colour) for at, colour in enumerate(theme.arms))]


@dataclass(frozen=True)
class Frame:
    """What a chart stands in.

    Args:
        language: Of its words.
        theme: Its colours.
        width_px: From edge to edge, axes included.
    """

    language: Language = "en"
    theme: Theme = LIGHT
    width_px: int = WIDE_PX

    @property
    def is_narrow(self) -> bool:
        """Whether labels must stand above their marks instead of beside them."""
        return self.width_px < NARROW_BELOW_PX

    @property
    def words(self) -> Texts:
        """The words of charts in the language."""
        return Texts(self.language, "tasuki.charts")

    @property
    def formats(self) -> Formats:
        """How numbers and dates are written."""
        return Formats(self.language)


def framed(frame: Frame, height_px: int, body: Mapping[str, Any], title: str = "") -> Spec:
    """A specification of the frame's width around layers or a mark."""
    spec: Spec = {
        "$schema": SCHEMA,
        "width": frame.width_px,
        "height": height_px,
        "autosize": {"type": "fit", "contains": "padding"},
        # The drawing library measures texts without the reader's fonts: what stands left of an axis needs some room.
        "padding": {"left": 10, "right": 4, "top": 4, "bottom": 4},
        "background": None,
        **body,
        "config": _config(frame.theme),
    }
    if title:
        spec["title"] = title
    return spec


def _config(theme: Theme) -> dict[str, Any]:
    axis = {
        "labelColor": theme.quiet,
        "titleColor": theme.quiet,
        "domainColor": theme.line,
        "tickColor": theme.line,
        "gridColor": theme.line,
        "labelFontSize": FONT_PX - 1,
        "titleFontSize": FONT_PX - 1,
        "titleFontWeight": "normal",
    }
    return {
        "aria": False,  # the page says what a chart shows, in a label and in the table behind it
        "font": FONT,
        "axis": axis,
        "view": {"stroke": None},
        "legend": {"labelColor": theme.ink, "labelFontSize": FONT_PX, "orient": "top", "title": None, "labelLimit": 0},
        "text": {"color": theme.ink, "fontSize": FONT_PX},
        "title": {
            "anchor": "start",
            "color": theme.quiet,
            "fontSize": FONT_PX,
            "fontWeight": "normal",
            "frame": "group",
        },
    }


def axis_format(unit: Unit, span: float, *, is_signed: bool = True) -> str:
    """A d3 format whose decimals fit the ticks of an axis that is so long."""
    size = span * (100 if unit == "percent" else 1)
    decimals = min(6, max(0, 1 - floor(log10(size)))) if size > 0 else 0
    sign = "+" if is_signed else ""
    return f"{sign}.{decimals}%" if unit == "percent" else f"{sign},.{decimals}f"


def zero_without_sign(unit: Unit) -> str:
    """The labels of an axis of changes: its zero is neither a gain nor a loss, so it has no sign."""
    return f"datum.value === 0 ? '{'0%' if unit == 'percent' else '0'}' : datum.label"


def decimals_of(share: float | None) -> int:
    """The decimals that a percentage is written with: as many as people compare by."""
    size = abs(share or 0.0)
    return 2 if size < 0.1 else 1 if size < 1 else 0


def shortened(text: str, cells: int) -> str:
    """A label of at most so many half-width cells; Japanese characters take two. Cut labels end in an ellipsis."""
    plain = " ".join(text.split())
    widths = [2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in plain]
    if sum(widths) <= cells:
        return plain
    kept, used = 0, 1
    while used + widths[kept] <= cells:
        used += widths[kept]
        kept += 1
    return plain[:kept].rstrip() + "…"


def data(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Inline values. Fields have names of our own, so that no label can be taken for an expression."""
    return {"values": rows}
