"""The path of each effect day by day."""

from collections.abc import Sequence
from datetime import date

from tasuki.charts.frame import Unit
from tasuki.charts.path import DayPoint, path_with_band
from tasuki.experiments.comparison import Comparison, Result
from tasuki.experiments.daily import DayEffect
from tasuki.reports.document import Caption, Column, Figure, Paragraph, Section, Table, figure
from tasuki.reports.effects import interval_of
from tasuki.reports.voice import Voice

MOST_PATHS = 6
"""So many paths are drawn; a report with more of them would not be read."""


def daily_section(comparison: Comparison, voice: Voice) -> Section | None:
    """A figure for each metric and arm; None where no days are known."""
    groups: dict[tuple[str, str], list[DayEffect]] = {}
    for one in comparison.daily:
        groups.setdefault((one.metric, one.treatment_arm), []).append(one)
    drawn = [path for path in groups.values() if len(path) > 1][:MOST_PATHS]
    if not drawn:
        return None
    overall = {(one.metric, one.treatment_arm): one for one in comparison.results if one.segment is None}
    figures = [
        _figure(sorted(path, key=lambda one: one.day), overall.get((path[0].metric, path[0].treatment_arm)), voice)
        for path in drawn
    ]
    return Section("daily", voice.t("section.daily"), (Paragraph(voice.t("daily.lead"), "quiet"), *figures))


def _figure(path: Sequence[DayEffect], whole: Result | None, voice: Voice) -> Figure:
    t, formats = voice.t, voice.formats
    is_relative = any(one.relative_low is not None or one.relative_high is not None for one in path)
    unit: Unit = "percent" if is_relative else "number"
    points = [_point(one, is_relative=is_relative) for one in path]
    first, last = points[0], points[-1]
    name = f"{path[0].metric} · {path[0].treatment_arm}" if voice.has_arms else path[0].metric
    label = t(
        "daily.chart",
        name=name,
        first=formats.day(first.day),
        last=formats.day(last.day),
        change=voice.change(last.point, is_relative=is_relative),
        interval=voice.interval(last.low, last.high, is_relative=is_relative),
    )
    title = t("daily.title", name=name)
    columns = (
        Column(t("daily.day")),
        *(Column(t(f"effects.{name}"), True) for name in ("effect", "low", "high", "n")),
    )
    rows = tuple(
        (
            formats.day(point.day),
            *(voice.change(n, is_relative=is_relative) for n in (point.point, point.low, point.high)),
            formats.number(one.n_control + one.n_treatment),
        )
        for one, point in zip(path, points, strict=True)
    )
    table = Table(t("daily.table", name=name), columns, rows)
    limit = None if whole is None else interval_of(whole, name, voice, unit).limit
    return figure(
        lambda frame: path_with_band(points, frame, unit, limit=limit), Caption(voice.language, title, label), table
    )


def _point(one: DayEffect, *, is_relative: bool) -> DayPoint:
    day = date.fromisoformat(one.day[:10])
    if is_relative:
        return DayPoint(day, one.relative, one.relative_low, one.relative_high)
    return DayPoint(day, one.effect, one.effect_low, one.effect_high)
