"""Effects by segment, and whether they differ."""

from collections.abc import Iterator, Sequence

from tasuki.charts.forest import forest
from tasuki.charts.frame import Unit
from tasuki.experiments.comparison import Comparison, Result
from tasuki.reports.document import Bullets, Caption, Column, Figure, Paragraph, Section, Table, figure
from tasuki.reports.effects import interval_of, with_cut_note
from tasuki.reports.voice import Voice, has_relative

MOST_ROWS, MOST_FIGURES = 16, 8


def segments_section(comparison: Comparison, voice: Voice) -> Section | None:
    """A forest for each metric and segment column; None without segments."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for one in comparison.results:
        if one.segment is not None:
            groups.setdefault((one.metric, one.segment.partition("=")[0]), []).append(one)
    if not groups:
        return None
    tests = Bullets(tuple(_tested(comparison, voice)))
    shown = list(groups.items())
    figures = [_figure(key, rows, voice) for key, rows in shown[:MOST_FIGURES]]
    tables = [_table(key, rows, voice) for key, rows in shown[MOST_FIGURES:]]
    lead = Paragraph(voice.t("segments.lead"), "quiet")
    blocks = (lead, *((tests,) if tests.items else ()), *figures, *tables)
    return Section("segments", voice.t("section.segments"), blocks)


def _tested(comparison: Comparison, voice: Voice) -> Iterator[str]:
    """Where effects differ, one by one; where nothing shows, in one sentence."""
    known = [(one, one.p_value_adjusted) for one in comparison.heterogeneity if one.p_value_adjusted is not None]
    for one, p in known:
        if p < comparison.alpha:
            names = {"metric": one.metric, "arm": one.treatment_arm, "column": one.column}
            yield voice.t("segments.differs", **names, p=voice.p(p))
    others = [p for _, p in known if p >= comparison.alpha]
    if others:
        yield voice.t("segments.same", count=len(others), p=voice.p(min(others)))
    untested = len(comparison.heterogeneity) - len(known)
    if untested:
        yield voice.t("segments.untested", count=untested)


def _figure(key: tuple[str, str], results: Sequence[Result], voice: Voice) -> Figure:
    t, (metric, column) = voice.t, key
    unit: Unit = "percent" if any(has_relative(one) for one in results) else "number"
    largest = sorted(results, key=lambda one: one.n_control + one.n_treatment, reverse=True)[:MOST_ROWS]
    kept = [one for one in results if one in largest]
    rows = [interval_of(one, _value_of(one, voice), voice, unit) for one in kept]
    title = t("segments.title", metric=metric, column=column, level=voice.level)
    listed = " ".join(_said(one, voice, unit) for one in kept)
    label = t("segments.chart", metric=metric, column=column, list=listed)
    note = t("segments.more", count=MOST_ROWS) if len(kept) < len(results) else ""
    table = _table(key, results, voice)
    caption = Caption(voice.language, title, label, note)
    return with_cut_note(figure(lambda frame: forest(rows, frame, unit), caption, table), voice)


def _value_of(one: Result, voice: Voice) -> str:
    value = (one.segment or "").partition("=")[2]
    return f"{value} · {one.treatment_arm}" if voice.has_arms else value


def _said(one: Result, voice: Voice, unit: Unit) -> str:
    is_relative = unit == "percent"
    return (
        f"{_value_of(one, voice)} {voice.change(one.relative if is_relative else one.effect, is_relative=is_relative)};"
    )


def _table(key: tuple[str, str], results: Sequence[Result], voice: Voice) -> Table:
    t, formats, (metric, column) = voice.t, voice.formats, key
    names = ("control", "treatment", "relative_column", "low", "high", "p", "adjusted", "n")
    columns = (Column(t("segments.value")), *(Column(t(f"effects.{name}"), True) for name in names))
    rows = tuple(
        (
            _value_of(one, voice),
            voice.value(one, one.control),
            voice.value(one, one.treatment),
            *(voice.change(n, is_relative=True) for n in (one.relative, one.relative_low, one.relative_high)),
            formats.p_value(one.p_value),
            formats.p_value(one.p_value_adjusted),
            formats.number(one.n_control + one.n_treatment),
        )
        for one in results
    )
    return Table(t("segments.table", metric=metric, column=column), columns, rows)
