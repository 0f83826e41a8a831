"""A/B 1 as a document: does it behave as designed, what was seen by each probe, and what to do about what failed."""

from collections.abc import Iterator

from tasuki.experiments.check.faults import FAULTS
from tasuki.flow.records import CheckReport, Probe
from tasuki.language import Formats, Language
from tasuki.reports.document import Block, Bullets, Column, Document, Facts, Folded, Notice, Section, Table, Verdict
from tasuki.reports.origin import Origin
from tasuki.texts import Teller, Texts, from_record


def check_report_document(report: CheckReport, origin: Origin, language: Language) -> Document:
    """Everything that a report of A/B 1 says, for people who were not there.

    Args:
        report: What is told.
        origin: When it was made and by which version.
        language: The reader's.
    """
    t, formats = Texts(language, "tasuki.reports"), Formats(language)
    sections = [
        _answer(report, language),
        Section("probes", t("check.probes"), tuple(_tables(report, language))),
        _days(report, t, formats),
    ]
    if report.incidents:
        sections.append(Section("incidents", t("check.incidents"), (Bullets(_incidents(report, language)),)))
    days = {"days": formats.days(report.days), "required": formats.days(report.days_required)}
    foot = t("frame.foot", version=origin.version, moment=formats.moment(origin.made_at))
    title = t("check.title", name=report.experiment)
    return Document(language, title, t("check.lead", **days), tuple(one for one in sections if one.blocks), foot)


def _answer(report: CheckReport, language: Language) -> Section:
    t = Texts(language, "tasuki.reports")
    failed = [one for one in report.probes if not one.passed]
    counted = t("check.counted", failed=len(failed), probes=len(report.probes))
    verdict = Verdict(
        "good" if report.passed else "bad",
        t("check.label"),
        t("check.passed" if report.passed else "check.failed"),
        (counted,),
        t("check.person"),
    )
    return Section("answer", t("section.answer"), (verdict, *(_fault(one, language) for one in failed)))


def _fault(probe: Probe, language: Language) -> Notice:
    """What failed, what it is and what to do about it."""
    t = Texts(language, "tasuki.reports")
    texts = [f"{t.term('probe', probe.name)}: {_told(probe, 'told', probe.explanation, language)}"]
    known = FAULTS.get(probe.fault)
    # What is kept in English names the fault already.
    if known is not None and known.what.in_language(language) not in texts[0]:
        what, remedy = known.what.in_language(language), known.remedy.in_language(language)
        texts.append(t("check.fault", what=what, remedy=remedy))
    return Notice("error", t("check.not_passed"), (" " if language == "en" else "").join(texts))


def _tables(report: CheckReport, language: Language) -> Iterator[Block]:
    t = Texts(language, "tasuki.reports")
    failed = [one for one in report.probes if not one.passed]
    passed = [one for one in report.probes if one.passed]
    if failed:
        yield _table(failed, t("check.failed_probes", count=len(failed)), language, _SHORT)
    if passed:
        caption = t("check.passed_probes", count=len(passed))
        yield Folded(caption, (_table(passed, caption, language, (*_SHORT, ("told", False))),))


_SHORT = (("probe", False), ("seen", True), ("threshold", False))
"""The columns of probes that did not pass: what was seen is told above them."""


def _table(probes: list[Probe], caption: str, language: Language, columns: tuple[tuple[str, bool], ...]) -> Table:
    t, formats = Texts(language, "tasuki.reports"), Formats(language)
    rows = tuple(
        (
            t.term("probe", one.name),
            formats.number(one.value),
            _told(one, "threshold", one.threshold, language),
            _told(one, "told", one.explanation, language),
        )
        for one in probes
    )
    shown = tuple(Column(t(f"check.{name}"), is_number) for name, is_number in columns)
    return Table(caption, shown, tuple(row[: len(columns)] for row in rows))


def _days(report: CheckReport, t: Texts, formats: Formats) -> Section:
    pairs, comma = [], "、" if t.language == "ja" else ", "
    for one in report.by_day:
        failed = comma.join(t.term("probe", name) for name in one.failed)
        said = t("check.too_few") if not one.asked else t("check.fails", probes=failed) if failed else t("check.fine")
        pairs.append(
            (formats.day(one.day), f"{t('check.exposures', count=formats.number(one.exposures))}{comma}{said}")
        )
    return Section("daily", t("section.daily"), (Facts(tuple(pairs)),) if pairs else ())


def _incidents(report: CheckReport, language: Language) -> tuple[str, ...]:
    kept = report.said.get("incidents")
    records = kept if isinstance(kept, list | tuple) and len(kept) == len(report.incidents) else report.incidents
    return tuple(_in(from_record(one, text), language) for one, text in zip(records, report.incidents, strict=True))


def _told(probe: Probe, part: str, text: str, language: Language) -> str:
    """A sentence of a probe; English where a record of before sentences had codes knows no other."""
    return _in(from_record(probe.said.get(part), text), language)


def _in(sentence: str, language: Language) -> str:
    return sentence if language == "en" else Teller().japanese(sentence) or sentence
