"""The chance that a planned experiment finds an effect: by the effect's size, and by the days it runs."""

from tasuki.experiments.sizing import Plan
from tasuki.flow.records import ExperimentPlan
from tasuki.stats.power import Sizing, detectable_effect, power_of

POINTS = 49
_FURTHEST = 2.0
"""Effects up to twice the planned one are shown: there the power is close to 1."""


def power_by_effect(plan: Plan) -> tuple[tuple[float, float], ...]:
    """Effect and power for the plan's units, from none to twice the planned effect, in the direction of the plan."""
    effects = [plan.mde * _FURTHEST * k / (POINTS - 1) for k in range(POINTS)]
    return tuple((effect, _power(plan, effect, plan.units)) for effect in effects if _is_possible(plan, effect))


def power_by_days(plan: Plan) -> tuple[tuple[int, float], ...]:
    """Day and power for the planned effect, to twice the planned days; empty where no units per day are known."""
    if plan.days is None or not plan.detectable:
        return ()
    first = plan.detectable[0]
    daily = first.units / first.days
    last = max(14, int(_FURTHEST * (plan.whole_weeks_days or plan.days)))
    return tuple((day, _power(plan, plan.mde, max(4, daily * day))) for day in _days(last))


def _days(last: int) -> list[int]:
    step = max(1, last // POINTS)
    return sorted({*range(1, last + 1, step), *range(7, last + 1, 7)})


def _is_possible(plan: Plan, effect: float) -> bool:
    return plan.kind != "proportion" or 0 < plan.baseline + effect < 1


def _power(plan: Plan, effect: float, units: float) -> float:
    """As the plan was sized: for control and the smallest treatment arm, with what looking early costs taken off."""
    control, *others = plan.shares or (1 / plan.arms,) * plan.arms
    pair = control + min(others)
    of_a_pair = max(2, int(units * pair / plan.inflation))
    treatment = plan.variance
    if plan.kind == "proportion" and 0 < plan.baseline < 1:
        moved = plan.baseline + effect
        treatment = plan.variance * (moved * (1 - moved)) / (plan.baseline * (1 - plan.baseline))
    sizing = Sizing(plan.variance, treatment, control / pair, plan.alpha / (plan.arms - 1), plan.power)
    return power_of(sizing, effect, of_a_pair)


def registered_power_by_effect(plan: ExperimentPlan) -> tuple[tuple[float, float], ...]:
    """Relative effect and power of a registered plan, from none to twice the smallest effect worth finding.

    A record keeps no variance; it keeps the power that its units have for its smallest effect, and the rest follows.
    """
    furthest = plan.minimal_detectable_effect * _FURTHEST
    effects = [furthest * k / (POINTS - 1) for k in range(POINTS)]
    return tuple((effect, _registered_power(plan, effect, plan.units_needed)) for effect in effects)


def registered_power_by_days(plan: ExperimentPlan) -> tuple[tuple[int, float], ...]:
    """Day and power for the smallest effect worth finding, to twice the planned days; empty without units per day."""
    if not plan.units_per_day:
        return ()
    last = max(14, int(_FURTHEST * plan.days))
    daily = plan.units_per_day
    return tuple(
        (day, _registered_power(plan, plan.minimal_detectable_effect, max(4, int(daily * day)))) for day in _days(last)
    )


def _registered_power(plan: ExperimentPlan, effect: float, units: int) -> float:
    """In units in which variances are 1: there the smallest effect is what the plan's units find with its power."""
    sizing = Sizing(1.0, 1.0, 0.5, plan.alpha / (len(plan.arms) - 1), plan.power)
    unit = detectable_effect(sizing, max(4, plan.units_needed)) / plan.minimal_detectable_effect
    return power_of(sizing, effect * unit, units)
