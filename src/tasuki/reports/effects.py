"""The effects of a report: forest plots and the table of all results."""

from collections.abc import Sequence
from dataclasses import replace

from tasuki.charts.forest import Interval, forest, is_cut
from tasuki.charts.frame import Unit
from tasuki.experiments.comparison import Result
from tasuki.reports.document import Caption, Column, Figure, Table, figure
from tasuki.reports.voice import VERDICTS, Voice, has_relative, margin_share, state_of


def interval_of(one: Result, label: str, voice: Voice, unit: Unit = "percent") -> Interval:
    """A result as a row of a forest plot, relative to control or in the metric's own unit."""
    verdict = VERDICTS.get(state_of(one, voice.alpha), "open")
    margin = margin_share(one) if unit == "percent" else one.margin
    limit = None if margin is None else margin if one.direction == "decrease" else -margin
    if unit == "percent":
        return Interval(label, one.relative, one.relative_low, one.relative_high, verdict, limit)
    return Interval(label, one.effect, one.effect_low, one.effect_high, verdict, limit)


def effect_figures(results: Sequence[Result], voice: Voice) -> list[Figure]:
    """One forest of relative effects; what has none stands in a forest of its own unit."""
    relative = [one for one in results if has_relative(one)]
    others = [one for one in results if not has_relative(one) and one.effect_low is not None]
    figures = []
    if relative:
        figures.append(_figure(relative, voice, "percent", voice.t("effects.relative", level=voice.level)))
    for metric in dict.fromkeys(one.metric for one in others):
        title = voice.t("effects.absolute", name=metric, level=voice.level)
        figures.append(_figure([one for one in others if one.metric == metric], voice, "number", title))
    # How to read them is said once, under the first.
    return [one if at == 0 else replace(one, note="") for at, one in enumerate(figures)]


def _figure(results: Sequence[Result], voice: Voice, unit: Unit, title: str) -> Figure:
    t = voice.t
    rows = [interval_of(one, voice.labelled(one), voice, unit) for one in results]
    listed = " ".join(voice.reading(one) for one in results)
    notes = [t("effects.note", level=voice.level)]
    if any(one.margin is not None for one in results):
        notes.append(t("effects.note_margin"))
    if any(one.direction == "decrease" for one in results):
        notes.append(t("effects.note_lower"))
    if any(one.p_value != one.p_value_adjusted for one in results):
        notes.append(t("effects.note_adjusted"))
    label = t("effects.chart", level=voice.level, list=listed)
    caption = Caption(voice.language, title, label, voice.joined(notes))
    return with_cut_note(figure(lambda frame: forest(rows, frame, unit), caption, None), voice)


def with_cut_note(forest_plot: Figure, voice: Voice) -> Figure:
    """The figure, saying what arrows mean where it has any."""
    if not is_cut(forest_plot.wide):
        return forest_plot
    notes = [one for one in (forest_plot.note, voice.t("effects.note_cut")) if one]
    return replace(forest_plot, note=voice.joined(notes))


def effects_table(results: Sequence[Result], voice: Voice) -> Table:
    """Every number of every result."""
    t = voice.t
    numbers = ("control", "treatment", "effect", "low", "high", "relative_column", "low", "high", "p", "adjusted", "n")
    columns = (
        Column(t("effects.metric")),
        *([Column(t("effects.arm"))] if voice.has_arms else []),
        *(Column(t(f"effects.{name}"), True) for name in numbers),
        Column(t("effects.method")),
        Column(t("effects.reduction"), True),
    )
    return Table(t("effects.table"), columns, tuple(_row(one, voice) for one in results))


def _row(one: Result, voice: Voice) -> tuple[str, ...]:
    formats = voice.formats
    own = [voice.change(n, is_relative=False) for n in (one.effect, one.effect_low, one.effect_high)]
    shares = [voice.change(n, is_relative=True) for n in (one.relative, one.relative_low, one.relative_high)]
    return (
        voice.labelled(one, with_arm=False),
        *([one.treatment_arm] if voice.has_arms else []),
        voice.value(one, one.control),
        voice.value(one, one.treatment),
        *own,
        *shares,
        formats.p_value(one.p_value),
        formats.p_value(one.p_value_adjusted),
        formats.number(one.n_control + one.n_treatment),
        voice.ways(one.method),
        formats.percent(one.variance_reduction),
    )
