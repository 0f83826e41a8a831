"""The plan of an experiment as a document: how large, how long, and what it can and cannot find."""

from tasuki.charts.curves import detectable_curve, power_curve
from tasuki.charts.frame import decimals_of
from tasuki.experiments.power_curves import power_by_days, power_by_effect
from tasuki.experiments.sizing import Plan
from tasuki.language import NOTHING, Formats, Language
from tasuki.reports.document import (
    Block,
    Bullets,
    Caption,
    Column,
    Document,
    Facts,
    Figure,
    Paragraph,
    Section,
    Table,
    Verdict,
    figure,
)
from tasuki.reports.origin import Origin
from tasuki.texts import Teller, Texts


class _Speaker:
    """The plan in one language."""

    def __init__(self, plan: Plan, language: Language) -> None:
        self.plan = plan
        self.language = language
        self.t = Texts(language, "tasuki.reports")
        self.formats = Formats(language)

    def share(self, number: float | None) -> str:
        """A share of the baseline with its sign."""
        return self.formats.percent_change(number, decimals_of(number))

    def effect(self, absolute: float, relative: float | None) -> str:
        """An effect in the metric's unit, with its share of the baseline where there is one."""
        shown = self.formats.change(absolute)
        if self.plan.kind == "proportion":
            shown = self.formats.percent_change(absolute, decimals_of(absolute))
        return shown if relative is None else self.t("plan.of_baseline", effect=shown, relative=self.share(relative))

    def baseline(self) -> str:
        """The metric today."""
        today = self.plan.baseline
        return self.formats.percent(today, 2) if self.plan.kind == "proportion" else self.formats.number(today)


def plan_document(plan: Plan, origin: Origin, language: Language) -> Document:
    """Everything that a plan says.

    Args:
        plan: What was sized.
        origin: When it was made, and from which data where it learnt from some.
        language: The reader's.
    """
    speaker = _Speaker(plan, language)
    t, formats = speaker.t, speaker.formats
    effect = speaker.effect(plan.mde, plan.relative_mde)
    lead = t("plan.lead", kind=t(f"plan.{plan.kind}"), baseline=speaker.baseline(), effect=effect)
    sections = (
        _answer(speaker, effect),
        _power(speaker, effect),
        _weeks(speaker),
        _simulated(speaker),
        _glossary(speaker),
    )
    made = t("frame.foot", version=origin.version, moment=formats.moment(origin.made_at))
    title = t("plan.title_named", name=origin.name) if origin.name else t("plan.title")
    return Document(language, title, lead, tuple(one for one in sections if one is not None), made)


def _answer(speaker: _Speaker, effect: str) -> Section:
    plan, t, formats = speaker.plan, speaker.t, speaker.formats
    size = {"units": formats.number(plan.units), "arms": plan.arms}
    if plan.whole_weeks_days is None:
        answer = t("plan.answer_units", **size)
    else:
        answer = t("plan.answer_days", **size, days=formats.days(plan.whole_weeks_days))
    power, alpha = formats.percent(plan.power), formats.percent(plan.alpha)
    reason = t("plan.reason", effect=effect, power=power, alpha=alpha)
    hint = "" if plan.days is not None else t("plan.no_days")
    pairs = (
        ("baseline", speaker.baseline()),
        ("variance", formats.number(plan.variance)),
        ("effect", effect),
        ("power", power),
        ("alpha", formats.number(plan.alpha)),
        ("per_arm", formats.number(plan.units_per_arm)),
        ("units", formats.number(plan.units)),
        ("days", formats.days(plan.days)),
        ("whole_weeks", formats.days(plan.whole_weeks_days)),
        ("reduction", formats.percent(plan.variance_reduction) if plan.variance_reduction else NOTHING),
        ("looking", _looking(speaker)),
        ("decision", formats.days(plan.decision_days) if plan.label_delay_days else NOTHING),
        *_window(speaker),
    )
    facts = Facts(tuple((t(f"plan.{name}"), value) for name, value in pairs if value != NOTHING))
    verdict = Verdict("plain", t("plan.answer_label"), answer, (reason,), hint)
    return Section("plan", t("section.plan"), (verdict, facts))


def _looking(speaker: _Speaker) -> str:
    if speaker.plan.looking == "none":
        return speaker.t("plan.looking_none")
    times = speaker.formats.number(speaker.plan.inflation, 3)
    return speaker.t(f"plan.looking_{speaker.plan.looking}", times=times)


def _window(speaker: _Speaker) -> list[tuple[str, str]]:
    """The planned days in the calendar, and the holidays among them."""
    window, day = speaker.plan.window, speaker.formats.day
    if window is None:
        return []
    comma = "、" if speaker.language == "ja" else ", "
    holidays = comma.join(f"{day(one.day)} {one.title}" for one in window.holidays) or NOTHING
    clean = day(window.next_clean) if window.holidays else NOTHING
    pairs = [("first", day(window.first)), ("last", day(window.last)), ("holidays", holidays), ("next_clean", clean)]
    return [*pairs, ("ready", day(window.ready))]


def _simulated(speaker: _Speaker) -> Section | None:
    """What splitting the team's own past units showed."""
    found, t, formats = speaker.plan.aa, speaker.t, speaker.formats
    if found is None:
        return None

    def spanned(middle: float, low: float, high: float) -> str:
        texts = (formats.percent(one) for one in (middle, low, high))
        return t("plan.aa_spanned", **dict(zip(("middle", "low", "high"), texts, strict=True)))

    false = spanned(found.false_positives, found.false_positives_low, found.false_positives_high)
    pairs = [
        ("aa_splits", formats.number(found.splits)),
        ("aa_units", formats.number(found.units)),
        ("aa_false", false),
        ("aa_ratio", formats.number(found.error_ratio, 3)),
    ]
    if found.power is not None and found.power_low is not None and found.power_high is not None:
        pairs.append(("aa_power", spanned(found.power, found.power_low, found.power_high)))
    verdict = Paragraph(t("plan.aa_trusted" if found.trusted else "plan.aa_not_trusted"))
    teller = Teller()
    findings = tuple(one if speaker.language == "en" else teller.japanese(one) or one for one in found.findings)
    told: list[Block] = [verdict, *([Bullets(findings)] if findings else [])]
    return Section("simulated", t("section.simulated"), (*told, Facts(tuple((t(f"plan.{k}"), v) for k, v in pairs))))


def _power(speaker: _Speaker, effect: str) -> Section:
    plan, t, formats = speaker.plan, speaker.t, speaker.formats
    blocks: list[Block] = [_by_effect(speaker)]
    by_days = power_by_days(plan)
    if by_days:
        title = t("plan.days_curve", effect=effect)
        points = [(float(day), power) for day, power in by_days]
        columns = (Column(t("plan.days"), True), Column(t("plan.power"), True))
        weekly = [(day, power) for day, power in by_days if day % 7 == 0] or list(by_days)
        rows = tuple((formats.number(day), formats.percent(power)) for day, power in weekly)
        caption = Caption(speaker.language, title, title, t("plan.days_note"))
        chosen = float(plan.whole_weeks_days or plan.days or 0)
        blocks.append(
            figure(
                lambda frame: power_curve(points, frame, along="days", target=plan.power, chosen=chosen),
                caption,
                Table(title, columns, rows),
            )
        )
    return Section("power", t("section.power"), tuple(blocks))


def _by_effect(speaker: _Speaker) -> Figure:
    plan, t, formats = speaker.plan, speaker.t, speaker.formats
    points = power_by_effect(plan)
    is_relative = bool(plan.baseline)
    scale = 1 / plan.baseline if is_relative else 1.0
    drawn = sorted((effect * scale, power) for effect, power in points)
    title = t("plan.curve", units=formats.number(plan.units))
    columns = (Column(t("plan.true_effect"), True), Column(t("plan.power"), True))
    rows = tuple(
        (speaker.effect(effect, effect / plan.baseline if is_relative else None), formats.percent(power))
        for effect, power in points[::4]
    )
    along = "effect" if is_relative else "effect_absolute"
    return figure(
        lambda frame: power_curve(drawn, frame, along=along, target=plan.power, chosen=plan.mde * scale),  # type: ignore[arg-type]  # one of two literals
        Caption(speaker.language, title, title, t("plan.curve_note")),
        Table(title, columns, rows),
    )


def _weeks(speaker: _Speaker) -> Section | None:
    plan, t, formats = speaker.plan, speaker.t, speaker.formats
    if not plan.detectable:
        return None
    is_relative = all(one.relative is not None for one in plan.detectable)
    points = [(float(one.days), abs((one.relative if is_relative else one.effect) or 0.0)) for one in plan.detectable]
    columns = (Column(t("plan.after")), Column(t("plan.units"), True), Column(t("plan.effect"), True))
    rows = tuple(
        (formats.days(one.days), formats.number(one.units), speaker.effect(one.effect, one.relative))
        for one in plan.detectable
    )
    title = t("plan.weeks_table")
    caption = Caption(speaker.language, title, title, t("plan.weeks_note"))
    unit = "percent" if is_relative else "number"
    chart = figure(lambda frame: detectable_curve(points, frame, unit), caption, Table(title, columns, rows))  # type: ignore[arg-type]  # one of two literals
    return Section("weeks", t("section.weeks"), (chart,))


def _glossary(speaker: _Speaker) -> Section:
    t = speaker.t
    names = ("power", "effect")
    pairs = tuple((t(f"plan.{one}"), t(f"plan.{one}_text")) for one in names)
    return Section("reading", t("section.reading"), (Facts(pairs), Paragraph(t("plan.frozen"), "quiet")))
