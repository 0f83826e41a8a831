"""What a registered experiment can and cannot find, drawn from its plan alone."""

from collections.abc import Sequence

from tasuki.charts.curves import power_curve
from tasuki.charts.frame import decimals_of
from tasuki.experiments.power_curves import registered_power_by_days, registered_power_by_effect
from tasuki.flow.records import ExperimentPlan
from tasuki.language import Formats, Language
from tasuki.reports.document import Caption, Column, Figure, Table, figure
from tasuki.texts import Texts


def plan_figures(plan: ExperimentPlan, language: Language) -> tuple[Figure, ...]:
    """The power by true effect, and by days where the plan says how many units a day brings."""
    t, formats = Texts(language, "tasuki.reports"), Formats(language)
    return tuple(
        one for one in (_by_effect(plan, language, t, formats), _by_days(plan, language, t, formats)) if one is not None
    )


def _by_effect(plan: ExperimentPlan, language: Language, t: Texts, formats: Formats) -> Figure:
    points = registered_power_by_effect(plan)
    title = t("plan.curve", units=formats.number(plan.units_needed))
    columns = (Column(t("plan.true_effect"), True), Column(t("plan.power"), True))
    shown = [one for one in points if round(one[0] / plan.minimal_detectable_effect * 8, 6).is_integer()]
    rows = tuple((formats.percent(effect, decimals_of(effect)), formats.percent(power)) for effect, power in shown)
    label = t("plan.curve_chart", title=title, list=_listed(rows[:: max(1, len(rows) // 4)]))
    return figure(
        lambda frame: power_curve(points, frame, target=plan.power, chosen=plan.minimal_detectable_effect),
        Caption(language, title, label, t("plan.curve_note")),
        Table(title, columns, rows),
    )


def _by_days(plan: ExperimentPlan, language: Language, t: Texts, formats: Formats) -> Figure | None:
    points = registered_power_by_days(plan)
    if not points:
        return None
    effect = formats.percent(plan.minimal_detectable_effect, decimals_of(plan.minimal_detectable_effect))
    title = t("plan.days_curve", effect=effect)
    columns = (Column(t("plan.days"), True), Column(t("plan.power"), True))
    rows = tuple((formats.number(day), formats.percent(power)) for day, power in _weekly(points))
    drawn = [(float(day), power) for day, power in points]
    label = t("plan.curve_chart", title=title, list=_listed(rows[:4]))
    return figure(
        lambda frame: power_curve(drawn, frame, along="days", target=plan.power, chosen=float(plan.days)),
        Caption(language, title, label, t("plan.days_planned")),
        Table(title, columns, rows),
    )


def _weekly(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    return [one for one in points if one[0] % 7 == 0] or list(points)


def _listed(rows: Sequence[tuple[str, ...]]) -> str:
    return ", ".join(f"{at}: {power}" for at, power in rows)
