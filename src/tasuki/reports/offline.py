"""A comparison of two models on past data as a document: does the challenger deserve an A/B test?"""

from collections.abc import Sequence
from typing import Literal

from tasuki.flow.records import CalibrationBin, CalibrationCurves
from tasuki.language import NOTHING, Formats, Language
from tasuki.offline.comparison import OfflineComparison, OfflineMetric
from tasuki.offline.recommend import LOWER_IS_BETTER
from tasuki.reports.calibration import calibration_figure
from tasuki.reports.concerns import concern_text, notice_of
from tasuki.reports.document import (
    Column,
    Document,
    Facts,
    Folded,
    Mood,
    Paragraph,
    Section,
    Table,
    Verdict,
)
from tasuki.reports.origin import Origin
from tasuki.texts import Teller, Texts

MOODS: dict[str, Mood] = {"go": "good", "no_go": "bad"}
Reading = Literal["better", "worse", "undecided", "unread"]
_TOLD = ("log_loss", "auc", "calibration_ratio")
"""The metrics that the rule rests on."""


def offline_document(comparison: OfflineComparison, origin: Origin, language: Language) -> Document:
    """Everything that an offline comparison says, for people who were not there.

    Args:
        comparison: What is told.
        origin: Where its rows come from; `variant` names champion and challenger.
        language: The reader's.
    """
    t, formats = Texts(language, "tasuki.reports"), Formats(language)
    rows, positives = formats.number(comparison.rows), formats.number(comparison.positives)
    sections = (
        _answer(comparison, t, formats, language),
        _metrics(comparison, t, formats),
        _calibration(comparison, t, language),
        _segments(comparison, t, formats),
        _method(comparison, origin, t, formats),
    )
    made = t("frame.foot", version=origin.version, moment=formats.moment(origin.made_at))
    lead = t("offline.lead", rows=rows, positives=positives, source=origin.source or NOTHING)
    title = t("offline.title", models=origin.variant)
    return Document(language, title, lead, tuple(one for one in sections if one is not None), made)


def reading_of(one: OfflineMetric) -> Reading:
    """What the interval of a difference says; `unread` for a metric that is neither better up nor down."""
    if one.difference_low is None or one.difference_high is None or one.name == "calibration_ratio":
        return "unread"
    if one.difference_low <= 0 <= one.difference_high:
        return "undecided"
    return "better" if (one.difference_low > 0) != (one.name in LOWER_IS_BETTER) else "worse"


def _answer(comparison: OfflineComparison, t: Texts, formats: Formats, language: Language) -> Section:
    said = comparison.recommendation
    errors = [concern_text(one, language) for one in comparison.concerns if one.severity == "error"]
    told = [one for one in comparison.metrics if one.segment is None and one.name in _TOLD]
    reasons = tuple(errors or [_sentence(one, t, formats) for one in told])
    verdict = Verdict(
        MOODS.get(said.decision, "open"),
        t("offline.label"),
        t(f"offline.{said.decision}"),
        reasons,
        t("answer.person"),
    )
    return Section("answer", t("section.answer"), (verdict, *(notice_of(one, language) for one in comparison.concerns)))


def _sentence(one: OfflineMetric, t: Texts, formats: Formats) -> str:
    return t(
        f"offline.said_{reading_of(one)}",
        name=t.term("offline", one.name),
        champion=formats.number(one.champion, 5),
        challenger=formats.number(one.challenger, 5),
        difference=formats.change(one.difference, 3),
        low=formats.change(one.difference_low, 3),
        high=formats.change(one.difference_high, 3),
    )


def _metrics(comparison: OfflineComparison, t: Texts, formats: Formats) -> Section:
    overall = [one for one in comparison.metrics if one.segment is None]
    table = _table(overall, t("offline.metrics"), t, formats)
    return Section("metrics", t("offline.metrics"), (table, Paragraph(t("offline.lower"), "quiet")))


def _table(rows: Sequence[OfflineMetric], caption: str, t: Texts, formats: Formats) -> Table:
    numbers = ("champion", "challenger", "difference", "low", "high", "p")
    columns = (
        Column(t("offline.metric")),
        *(Column(t(f"offline.{name}"), True) for name in numbers),
        Column(t("offline.reading")),
    )
    return Table(caption, columns, tuple(_row(one, t, formats) for one in rows))


def _row(one: OfflineMetric, t: Texts, formats: Formats) -> tuple[str, ...]:
    reading = reading_of(one)
    return (
        t.term("offline", one.name),
        *(formats.number(value, 5) for value in (one.champion, one.challenger)),
        *(formats.change(value, 3) for value in (one.difference, one.difference_low, one.difference_high)),
        formats.p_value(one.p_value),
        NOTHING if reading == "unread" else t(f"offline.{reading}"),
    )


def _calibration(comparison: OfflineComparison, t: Texts, language: Language) -> Section | None:
    curves = comparison.calibration_curve
    champion, challenger = (
        tuple(CalibrationBin(**vars(one)) for one in points) for points in (curves.champion, curves.challenger)
    )
    drawn = calibration_figure(CalibrationCurves(champion, challenger), language)
    return None if drawn is None else Section("calibration", t("offline.calibration"), (drawn,))


def _segments(comparison: OfflineComparison, t: Texts, formats: Formats) -> Section | None:
    groups: dict[str, list[OfflineMetric]] = {}
    for one in comparison.metrics:
        if one.segment is not None:
            groups.setdefault(one.segment, []).append(one)
    if not groups:
        return None
    worse = [name for name, rows in groups.items() if any(reading_of(one) == "worse" for one in rows)]
    lead = t("offline.worse_in", list=", ".join(worse)) if worse else t("offline.worse_nowhere", count=len(groups))
    folded = (Folded(name, (_table(rows, name, t, formats),)) for name, rows in groups.items())
    return Section("segments", t("section.segments"), (Paragraph(lead), *folded))


def _method(comparison: OfflineComparison, origin: Origin, t: Texts, formats: Formats) -> Section:
    window = comparison.window
    pairs = (
        ("rows", formats.number(comparison.rows)),
        ("positives", formats.number(comparison.positives)),
        ("units", NOTHING if comparison.units is None else formats.number(comparison.units)),
        ("level", f"{100 * (1 - comparison.alpha):g}%"),
        ("window", NOTHING if window is None else f"{window.first} – {window.last}"),
        ("source", origin.source or NOTHING),
        ("hash", origin.content_hash or NOTHING),
    )
    facts = Facts(tuple((t(f"offline.{name}"), value) for name, value in pairs if value != NOTHING))
    clustered = Paragraph(t("offline.clustered" if comparison.units is not None else "offline.by_row"), "quiet")
    rule = comparison.recommendation.rule
    told = (Teller().japanese(rule) if t.language == "ja" else None) or rule
    written = Paragraph(t("offline.rule", rule=told), "quiet")
    return Section("method", t("section.method"), (facts, clustered, written))
