"""A comparison of arms as a document: the answer first, then what it rests on, then how it was computed."""

import re
from collections.abc import Iterator, Sequence

from tasuki.charts.counts import Count, counts
from tasuki.experiments.comparison import Comparison, Result
from tasuki.experiments.design import TYPICAL_SOURCE
from tasuki.experiments.prior import BELIEVED_SOURCE, LEARNT_SOURCE
from tasuki.experiments.reasons import reason_text
from tasuki.language import NOTHING, Language
from tasuki.reports.concerns import concern_text, notice_of
from tasuki.reports.daily import daily_section
from tasuki.reports.document import (
    Caption,
    Column,
    Document,
    Facts,
    Figure,
    Mood,
    Notice,
    Paragraph,
    Section,
    Table,
    Verdict,
    figure,
)
from tasuki.reports.effects import effect_figures, effects_table
from tasuki.reports.origin import Origin
from tasuki.reports.segments import segments_section
from tasuki.reports.spread import spread_section
from tasuki.reports.voice import STATES, Voice, state_of, voice_of

_TOLD_OTHERWISE = ("data_cannot_answer", "concern")
"""Reasons that a report tells in a place of their own; those of single metrics it tells with their intervals."""

_MANY_SILENT = 5
"""From so many results on that show nothing, a sentence for each would hide those that show something."""

MOODS: dict[str, Mood] = {"ship": "good", "do_not_ship": "bad"}


def comparison_document(comparison: Comparison, origin: Origin, language: Language) -> Document:
    """Everything that a comparison says, for people who were not there.

    Args:
        comparison: What is told.
        origin: Where its numbers come from.
        language: The reader's.
    """
    voice = voice_of(comparison, language)
    t, formats = voice.t, voice.formats
    control, *treatments = comparison.arms
    units = formats.number(sum(arm.units for arm in comparison.arms))
    lead = {"source": origin.source, "units": units, "arms": len(comparison.arms)}
    named = t("compare.title_named", name=origin.name)
    arms = t("compare.title", treatments=", ".join(arm.name for arm in treatments), control=control.name)
    made = t("frame.foot", version=origin.version, moment=formats.moment(origin.made_at))
    sections = (
        _answer(comparison, voice),
        _concerns(comparison, voice),
        _arms(comparison, voice),
        _effects(comparison, voice),
        daily_section(comparison, voice),
        segments_section(comparison, voice),
        spread_section(comparison, voice),
        _method(comparison, origin, voice),
        _glossary(comparison, voice),
    )
    return Document(
        language,
        named if origin.name else arms,
        t("compare.lead" if origin.source else "compare.lead_nameless", **lead),
        tuple(one for one in sections if one is not None),
        made,
    )


def _overall(comparison: Comparison) -> list[Result]:
    return [one for one in comparison.results if one.segment is None]


def _answer(comparison: Comparison, voice: Voice) -> Section:
    said, t = comparison.recommendation, voice.t
    errors = [concern_text(one, voice.language) for one in comparison.concerns if one.severity == "error"]
    if errors:
        reasons = [t("answer.data_cannot")]
    else:
        reasons = _readings(_overall(comparison), voice)
        reasons += [
            reason_text(one, voice.language) for one in said.grounds if one.code not in (*STATES, *_TOLD_OTHERWISE)
        ]
    if said.false_win_risk is not None:
        reasons.append(_risk(comparison, voice))
    answer = Verdict(
        MOODS.get(said.decision, "open"),
        t("answer.label"),
        _headline(comparison, voice),
        tuple(reasons),
        t("answer.person"),
    )
    notices = tuple(_notices(comparison, voice, {"error"}))
    return Section("answer", t("section.answer"), (answer, *notices))


def _headline(comparison: Comparison, voice: Voice) -> str:
    said, arm = voice.t(f"answer.{comparison.recommendation.decision}"), comparison.chosen_arm
    return said if arm is None else voice.t("answer.of_arm", said=said, arm=arm)


def _readings(results: Sequence[Result], voice: Voice) -> list[str]:
    """A sentence for each result; where many show nothing, one for all of them."""
    silent = [one for one in results if state_of(one, voice.alpha) == "undecided"]
    if len(silent) < _MANY_SILENT:
        return [voice.reading(one) for one in results]
    comma = "、" if voice.language == "ja" else ", "
    names = comma.join(voice.named(one) for one in silent)
    return [*(voice.reading(one) for one in results if one not in silent), voice.t("reading.silent", names=names)]


def _risk(comparison: Comparison, voice: Voice) -> str:
    risk, formats = comparison.recommendation.false_win_risk, voice.formats
    prior = formats.percent(comparison.prior, 0)
    return voice.t("answer.risk", risk=formats.percent(risk, 0), prior=prior, source=_prior_source(comparison, voice))


def _prior_source(comparison: Comparison, voice: Voice) -> str:
    source = comparison.prior_source
    if source in (TYPICAL_SOURCE, BELIEVED_SOURCE):
        return voice.t("answer.prior_typical" if source == TYPICAL_SOURCE else "answer.prior_believed")
    # The ledger keeps the sentence in English, so its figures are read back out of it.
    learnt = re.fullmatch(LEARNT_SOURCE.format(won=r"(?P<won>\d+)", ended=r"(?P<ended>\d+)"), source)
    return voice.t("answer.prior_learnt", **learnt.groupdict()) if learnt else source


def _notices(comparison: Comparison, voice: Voice, severities: set[str]) -> Iterator[Notice]:
    for one in comparison.concerns:
        if one.severity in severities:
            yield notice_of(one, voice.language)


def _concerns(comparison: Comparison, voice: Voice) -> Section | None:
    found = (*_notices(comparison, voice, {"warning"}), *_notices(comparison, voice, {"info"}))
    return Section("concerns", voice.t("section.concerns"), found) if found else None


def _arms(comparison: Comparison, voice: Voice) -> Section:
    t, formats, srm = voice.t, voice.formats, comparison.srm
    total = sum(arm.units for arm in comparison.arms)
    names = [_arm_name(arm.name, voice, is_control=at == 0) for at, arm in enumerate(comparison.arms)]
    rows = tuple(
        (
            name,
            formats.number(arm.units),
            formats.percent(arm.units / total, 2) if total else NOTHING,
            formats.percent(srm.expected.get(arm.name), 2),
        )
        for name, arm in zip(names, comparison.arms, strict=True)
    )
    heads = (Column(t("arms.arm")), *(Column(t(f"arms.{name}"), True) for name in ("units", "share", "planned")))
    table = Table(t("arms.caption"), heads, rows)
    bars = [
        Count(name, arm.units, total * srm.expected.get(arm.name, 0.0) or None, formats.number(arm.units))
        for name, arm in zip(names, comparison.arms, strict=True)
    ]
    listed = ", ".join(f"{bar.label} {bar.text}" for bar in bars)
    caption = Caption(voice.language, "", t("arms.chart", list=listed), t("arms.note"))
    chart = figure(lambda frame: counts(bars, frame), caption, table)
    if srm.p_value is None:
        verdict = t("arms.untested")
    else:
        verdict = t("arms.as_planned" if srm.passed else "arms.not_as_planned", p=voice.p(srm.p_value))
    return Section("arms", t("section.arms"), (Paragraph(verdict), chart))


def _arm_name(name: str, voice: Voice, *, is_control: bool) -> str:
    says_so = name.casefold() in {"control", "対照群", "対照"}
    return voice.t("arms.control", name=name) if is_control and not says_so else name


def _effects(comparison: Comparison, voice: Voice) -> Section:
    results = _overall(comparison)
    figures: list[Figure] = effect_figures(results, voice)
    table = effects_table(results, voice)
    return Section("effects", voice.t("section.effects"), (*figures, table))


def _method(comparison: Comparison, origin: Origin, voice: Voice) -> Section:
    t = voice.t
    methods = dict.fromkeys(one.method for one in comparison.results)
    question = t(
        "method.question_unit" if origin.unit else "method.question_value", variant=origin.variant, unit=origin.unit
    )
    pairs = (
        ("level", t("method.level_value", alpha=f"{comparison.alpha:g}", level=voice.level)),
        ("methods", "; ".join(voice.ways(one) for one in methods)),
        ("adjust", t.term("adjust", origin.adjust) if origin.adjust else ""),
        ("looks", _looks(comparison, voice)),
        (
            "prior",
            t(
                "method.prior_value",
                prior=voice.formats.percent(comparison.prior, 0),
                source=_prior_source(comparison, voice),
            ),
        ),
        ("question", question if origin.variant else ""),
        ("source", origin.source),
        ("hash", origin.content_hash),
        ("engine", origin.engine),
        ("made", voice.formats.moment(origin.made_at)),
        ("version", origin.version),
    )
    facts = Facts(tuple((t(f"method.{name}"), value) for name, value in pairs if value))
    return Section("method", t("section.method"), (facts,))


def _looks(comparison: Comparison, voice: Voice) -> str:
    rule, number = comparison.monitoring, voice.formats.number
    if rule is None:
        return voice.t("method.one_look")
    if rule.rule == "always_valid":
        return voice.t("method.always_valid", units=number(rule.tuning))
    share = voice.formats.percent(rule.looks[-1] if rule.looks else None, 0)
    return voice.t("method.group_sequential", look=len(rule.looks), share=share, units=number(rule.planned_units))


def _glossary(comparison: Comparison, voice: Voice) -> Section:
    wanted = ["interval", "p", "relative", "srm"]
    if any(one.margin is not None for one in comparison.results):
        wanted.append("guardrail")
    if comparison.recommendation.false_win_risk is not None:
        wanted.append("risk")
    t = voice.t
    pairs = tuple((t(f"glossary.{one}"), t(f"glossary.{one}_text", level=voice.level)) for one in wanted)
    return Section("reading", t("section.reading"), (Facts(pairs),))
