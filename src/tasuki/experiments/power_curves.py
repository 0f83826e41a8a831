"""The chance that a planned experiment finds an effect: by the effect's size, and by the days it runs."""

from tasuki.experiments.sizing import Plan
from tasuki.stats.power import Sizing, power_of

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
