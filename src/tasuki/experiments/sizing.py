"""How long must it run? Units, days and the smallest effect that so many units can show."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from html import escape
from itertools import pairwise
from math import ceil, isfinite, sqrt
from typing import Any, Literal, get_args

from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.aa import AAResult, aa_lines
from tasuki.experiments.assignment import SHARE_TOLERANCE
from tasuki.experiments.holidays import Window, window_lines
from tasuki.stats.distributions import normal_quantile
from tasuki.stats.group_sequential import Spending, boundaries
from tasuki.stats.power import Sizing, detectable_effect, power_of, units_needed
from tasuki.stats.sequential import Boundary

SCHEMA = "tasuki.plan/1"
WEEKS_SHOWN = (1, 2, 3, 4, 6, 8)
PlanKind = Literal["mean", "proportion", "ratio"]
Looking = Literal["none", "always_valid", "group_sequential"]
LOOKING: tuple[Looking, ...] = get_args(Looking)
LONGEST_DELAY_DAYS = 366
LONGEST_DAYS = 3_650
"""Ten years; no plan is longer."""
MOST_UNITS = 10**12
"""A hundred times all people; no experiment has more."""
MAGNITUDES = (1e-60, 1e60)
"""Effects and values beyond cannot be squared."""
_FOREVER_DAYS = 1e15


@dataclass(frozen=True)
class Baseline:
    """What is known of the metric today.

    Args:
        kind: `mean`, `proportion` or `ratio`.
        value: The metric today.
        variance: The variance of a unit's contribution; None for a proportion, where it follows from the value.
        variance_reduction: The share that covariates take out, in [0, 1).
    """

    kind: PlanKind
    value: float
    variance: float | None = None
    variance_reduction: float = 0.0


@dataclass(frozen=True)
class Wish:
    """What the experiment should find.

    Args:
        mde: The smallest effect worth finding, in the metric's unit or as a share of the baseline; None to ask what
            `units` can find.
        is_relative: Whether `mde` is a share.
        power: Chance to find it, in (0, 1).
        alpha: Two-sided level over all arms together, in (0, 1).
        shares: Each arm's share of the units, control first.
        units: Units of all arms, when they are given and the effect is asked for.
        units_per_day: Units that could take part each day.
        allocation: The share of them that does, in (0, 1].
        looking: How often people will look: `none` before the end, at any time (`always_valid`), or at `looks`.
        looks: The planned looks of a group-sequential design, as shares of the units, rising, the last one 1.
        spending: How those looks share alpha.
        label_delay_days: Days until the outcome of an exposure is known for good.
    """

    mde: float | None = None
    is_relative: bool = False
    power: float = 0.8
    alpha: float = 0.05
    shares: tuple[float, ...] = (0.5, 0.5)
    units: int | None = None
    units_per_day: float | None = None
    allocation: float = 1.0
    looking: Looking = "none"
    looks: tuple[float, ...] = ()
    spending: Spending = "obrien_fleming"
    label_delay_days: int = 0

    @property
    def arms(self) -> int:
        """How many arms, control among them."""
        return len(self.shares)

    @property
    def smallest(self) -> float:
        """The smallest share of a treatment arm."""
        return min(self.shares[1:])

    @property
    def pair(self) -> float:
        """The share of all units that is in control or in the smallest treatment arm."""
        return self.shares[0] + self.smallest


def equal_shares(arms: int) -> tuple[float, ...]:
    """The shares of arms of equal size."""
    return (1 / arms,) * arms if arms > 0 else ()


@dataclass(frozen=True)
class Detectable:
    """What can be found after so many days."""

    days: int
    units: int
    effect: float
    relative: float | None


@dataclass(frozen=True)
class Plan:
    """The size of an experiment.

    Args:
        kind: The metric's kind.
        baseline: The metric today.
        variance: The variance of a unit that was reckoned with, covariates taken out.
        mde: The effect it finds, in the metric's unit.
        relative_mde: The same as a share of the baseline.
        power: The chance to find it.
        alpha: The two-sided level over all arms.
        arms: How many arms.
        units_per_arm: Units that the smallest arm needs.
        units: Units that all arms need.
        days: Days until then; None when nobody said how many come each day.
        whole_weeks_days: The same in whole weeks, since weekdays differ from weekends.
        detectable: What could be found after some weeks.
        shares: Each arm's share, control first.
        variance_reduction: The share of the variance that covariates took out.
        looking: How often people will look.
        inflation: How many times as many units that takes.
        label_delay_days: Days until the last day's outcomes are known for good.
        decision_days: Whole weeks and the delay: the days until it can be decided; None like `days`.
        window: The planned days in the calendar, where a first day was named or holidays are known.
        aa: What the A/A simulation on the team's own data shows, where it was asked for.
    """

    kind: str
    baseline: float
    variance: float
    mde: float
    relative_mde: float | None
    power: float
    alpha: float
    arms: int
    units_per_arm: int
    units: int
    days: int | None
    whole_weeks_days: int | None
    detectable: tuple[Detectable, ...]
    shares: tuple[float, ...] = ()
    variance_reduction: float = 0.0
    looking: Looking = "none"
    inflation: float = 1.0
    label_delay_days: int = 0
    decision_days: int | None = None
    window: Window | None = None
    aa: AAResult | None = None

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON values, without the schema's name."""
        values: dict[str, Any] = _as_json(asdict(self))
        return values

    def to_json(self) -> str:
        """The document that `tasuki plan --json` prints."""
        return json.dumps({"schema": SCHEMA, **self.to_dict()}, ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in plan_lines(self))
        return f"<table>{rows}</table>"


def plan_lines(plan: Plan) -> tuple[tuple[str, str], ...]:
    """A plan as names and texts, for a table."""
    relative = "" if plan.relative_mde is None else f" ({plan.relative_mde:+.3%} of the baseline)"
    lines = [
        ("baseline", f"{plan.baseline:.6g}"),
        ("variance of a unit", f"{plan.variance:.6g}"),
        ("smallest effect found", f"{plan.mde:.6g}{relative}"),
        ("power", f"{plan.power:.1%}"),
        ("alpha", f"{plan.alpha:g}, two-sided"),
        *((("looking early", f"{plan.looking}: {plan.inflation:.2f} times the units"),) if plan.inflation > 1 else ()),
        *(
            (("covariates take out", f"{plan.variance_reduction:.1%} of the variance"),)
            if plan.variance_reduction
            else ()
        ),
        ("units per arm", f"{plan.units_per_arm:,}"),
        ("units in all", f"{plan.units:,} in {plan.arms} arms"),
    ]
    if plan.days is not None and plan.days > LONGEST_DAYS:
        lines.append(("days", "more than 10 years: look for a larger effect, or for more units per day"))
    elif plan.days is not None:
        lines.append(("days", f"{plan.days} ({plan.whole_weeks_days} in whole weeks)"))
        if plan.label_delay_days:
            lines.append(("days until a decision", f"{plan.decision_days}: labels take {plan.label_delay_days} day(s)"))
    for one in plan.detectable:
        share = "" if one.relative is None else f" ({one.relative:+.3%})"
        lines.append((f"after {one.days} days", f"{one.units:,} units find {one.effect:.6g}{share}"))
    lines += window_lines(plan.window) if plan.window else ()
    lines += aa_lines(plan.aa) if plan.aa else ()
    return tuple(lines)


def _as_json(value: Any) -> Any:
    match value:
        case date():
            return value.isoformat()
        case dict():
            return {key: _as_json(one) for key, one in value.items()}
        case list() | tuple():
            return [_as_json(one) for one in value]
    return value


def inflation_of(wish: Wish) -> float:
    """How many times the units of one look at the end it takes to look early without more false alarms.

    The power is reckoned at the last look alone: what is found before comes on top.

    Formula: ((c + z_power)/(z₁₋α/₂ + z_power))² with c the critical value at the planned end.
    Source: Jennison & Turnbull (2000), "Group Sequential Methods", section 2.2 (the inflation factor, there with the
        exact power: for few looks the same to two digits); for c see `tasuki.stats.sequential.Boundary.critical` and
        `tasuki.stats.group_sequential.boundaries`.
    Checked against: simulated experiments (the power at the end is at least the one asked for).
    """
    if wish.looking == "none":
        return 1.0
    alpha = wish.alpha / (wish.arms - 1)
    if wish.looking == "always_valid":
        # With the tuning at the planned end the critical value there does not depend on the units.
        critical = Boundary(1_000, alpha, 1_000).critical
    else:
        critical = boundaries(alpha, wish.looks, wish.spending, is_last=True)[-1]
    powered = normal_quantile(wish.power)
    return max(1.0, ((critical + powered) / (normal_quantile(1 - alpha / 2) + powered)) ** 2)


def size_experiment(baseline: Baseline, wish: Wish) -> Plan:
    """The units and days an effect needs, or the effect that so many units find.

    Each treatment arm is compared with control on its own; with several of them the level is shared out evenly
    (Bonferroni), so that the plan holds whatever the correction later.

    Raises:
        Invalid: What cannot be: every fault at once.
    """
    faults = [*_baseline_faults(baseline), *_wish_faults(wish), *_reach_faults(baseline, wish)]
    if faults:
        raise Invalid("nothing can be planned from this", faults)
    effect, inflation = _effect(baseline, wish), inflation_of(wish)
    if effect is None:
        pair = _pair(baseline, 0.0, wish)
        effect = detectable_effect(pair, _of_a_pair(wish.units or 0, wish))
    pair = _pair(baseline, effect, wish)
    units = ceil(units_needed(pair, effect) * inflation / wish.pair) if wish.units is None else wish.units
    daily = None if wish.units_per_day is None else wish.units_per_day * wish.allocation
    days = None if daily is None else max(1, ceil(min(units / daily, _FOREVER_DAYS)))
    weeks_days = None if days is None else 7 * ceil(days / 7)
    return Plan(
        kind=baseline.kind,
        baseline=baseline.value,
        variance=pair.variance_control,
        mde=effect,
        relative_mde=effect / baseline.value if baseline.value else None,
        power=power_of(pair, effect, _of_a_pair(units, wish)),
        alpha=wish.alpha,
        arms=wish.arms,
        units_per_arm=ceil(units * min(wish.shares)),
        units=units,
        days=days,
        whole_weeks_days=weeks_days,
        detectable=() if daily is None else _detectable(baseline, wish, daily),
        shares=wish.shares,
        variance_reduction=baseline.variance_reduction,
        looking=wish.looking,
        inflation=inflation,
        label_delay_days=wish.label_delay_days,
        decision_days=None if weeks_days is None else weeks_days + wish.label_delay_days,
    )


def _effect(baseline: Baseline, wish: Wish) -> float | None:
    if wish.mde is None:
        return None
    return wish.mde * baseline.value if wish.is_relative else wish.mde


def _pair(baseline: Baseline, effect: float, wish: Wish) -> Sizing:
    kept = 1 - baseline.variance_reduction
    alpha, share = wish.alpha / (wish.arms - 1), wish.shares[0] / wish.pair
    if baseline.kind == "proportion" and baseline.variance is None:
        control, treatment = baseline.value, min(max(baseline.value + effect, 0.0), 1.0)
        variances = control * (1 - control) * kept, treatment * (1 - treatment) * kept
        return Sizing(*variances, share, alpha, wish.power)
    variance = (baseline.variance or 0.0) * kept
    return Sizing(variance, variance, share, alpha, wish.power)


def _of_a_pair(units: float, wish: Wish) -> int:
    """The units of control and the smallest treatment arm, as many as one look at the end would need for the same."""
    return max(2, int(units * wish.pair / inflation_of(wish)))


def _detectable(baseline: Baseline, wish: Wish, daily: float) -> tuple[Detectable, ...]:
    found = []
    for weeks in WEEKS_SHOWN:
        units = int(daily * weeks * 7)
        effect = detectable_effect(_pair(baseline, 0.0, wish), _of_a_pair(units, wish))
        found.append(Detectable(weeks * 7, units, effect, effect / baseline.value if baseline.value else None))
    return tuple(found)


def _baseline_faults(baseline: Baseline) -> list[Fault]:
    faults = []
    if not (baseline.value == 0 or _is_sound(baseline.value)):
        faults.append(
            Fault(
                "baseline",
                said("{baseline} is no number", baseline=baseline.value),
                "magnitudes of 1e-60 to 1e60" if isfinite(baseline.value) else "the metric today",
            )
        )
    elif baseline.kind == "proportion" and not 0 < baseline.value < 1:
        faults.append(
            Fault(
                "baseline", said("{baseline:g} is no proportion", baseline=baseline.value), "between 0 and 1, as 0.05"
            )
        )
    if baseline.kind not in ("mean", "proportion", "ratio"):
        faults.append(Fault("kind", said("{kind!r} is no kind", kind=baseline.kind), "mean, proportion or ratio"))
    elif baseline.kind != "proportion" and baseline.variance is None:
        faults.append(
            Fault(
                "variance",
                said("missing for a {kind}", kind=baseline.kind),
                "the variance of a unit, or data to learn from",
            )
        )
    if baseline.variance is not None and not (baseline.variance > 0 and _is_sound(baseline.variance)):
        faults.append(
            Fault(
                "variance",
                said("{variance:g} is no variance", variance=baseline.variance),
                "magnitudes of 1e-60 to 1e60" if baseline.variance > 0 else "above 0",
            )
        )
    if not 0 <= baseline.variance_reduction < 1:
        faults.append(
            Fault(
                "variance_reduction",
                said("{variance_reduction:g} is no share", variance_reduction=baseline.variance_reduction),
                "in [0, 1)",
            )
        )
    return faults


def _is_sound(number: float) -> bool:
    return MAGNITUDES[0] <= abs(number) <= MAGNITUDES[1]


def _wish_faults(wish: Wish) -> list[Fault]:
    faults = []
    if (wish.mde is None) == (wish.units is None):
        faults.append(Fault("mde", "give the effect or the units", "one of the two"))
    if wish.mde is not None and not _is_sound(wish.mde):
        faults.append(
            Fault(
                "mde",
                said("{mde:g} is no effect", mde=wish.mde),
                "magnitudes of 1e-60 to 1e60" if wish.mde else "not 0",
            )
        )
    for name, value in (("power", wish.power), ("alpha", wish.alpha)):
        if not 0 < value < 1:
            faults.append(Fault(name, said("{value:g} is no probability", value=value), "between 0 and 1"))
    if wish.arms < 2:
        faults.append(Fault("arms", said("{arms} arm(s) cannot be compared", arms=wish.arms), "at least 2"))
    elif min(wish.shares) <= 0 or abs(sum(wish.shares) - 1) > SHARE_TOLERANCE:
        faults.append(
            Fault("arms", said("the shares {shares} are no split", shares=wish.shares), "above 0, adding up to 1")
        )
    faults += _units_faults(wish)
    rising = all(a < b for a, b in pairwise(wish.looks))
    if wish.looking not in LOOKING:
        faults.append(Fault("looking", said("{looking!r} is no way to look", looking=wish.looking), ", ".join(LOOKING)))
    elif wish.looking == "group_sequential" and not (
        wish.looks and rising and wish.looks[0] > 0 and wish.looks[-1] == 1
    ):
        faults.append(
            Fault("looks", said("{looks} are no looks", looks=wish.looks), "rising shares of the units that end with 1")
        )
    if not 0 <= wish.label_delay_days <= LONGEST_DELAY_DAYS:
        faults.append(
            Fault(
                "label_delay_days",
                f"{wish.label_delay_days}",
                said("0 to {longest_delay_days} days", longest_delay_days=LONGEST_DELAY_DAYS),
            )
        )
    if not 0 < wish.allocation <= 1:
        faults.append(
            Fault("allocation", said("{allocation:g} is no share", allocation=wish.allocation), "above 0 and at most 1")
        )
    return faults


def _units_faults(wish: Wish) -> list[Fault]:
    faults = []
    if wish.units is not None and wish.units < 2 * max(wish.arms, 2):
        faults.append(Fault("units", said("{units} unit(s) are too few", units=wish.units), "at least two in each arm"))
    if wish.units is not None and wish.units > MOST_UNITS:
        faults.append(Fault("units", "more than any experiment has", said("at most {most:,}", most=MOST_UNITS)))
    if wish.units_per_day is not None and not 0 < wish.units_per_day <= MOST_UNITS:
        faults.append(
            Fault(
                "units_per_day",
                said("{units_per_day:g} is no number of units", units_per_day=wish.units_per_day),
                "above 0",
            )
        )
    return faults


def _reach_faults(baseline: Baseline, wish: Wish) -> list[Fault]:
    effect = _effect(baseline, wish)
    if effect == 0 and wish.mde and baseline.value == 0:
        return [Fault("mde", "a share of a baseline of 0 is 0", "an effect in the metric's unit, without --relative")]
    if wish.mde is not None and not _is_sound(wish.mde):
        return []
    if effect is None or baseline.kind != "proportion" or 0 < baseline.value + effect < 1:
        return [] if effect is None else _amount_faults(baseline, effect)
    reached = f"{baseline.value:g} {effect:+g} is {baseline.value + effect:g}"
    return [Fault("mde", reached, "a proportion between 0 and 1; --relative for a share of the baseline")]


def _amount_faults(baseline: Baseline, effect: float) -> list[Fault]:
    """An effect so small beside the deviation that no experiment has the units for it."""
    variance = baseline.value * (1 - baseline.value) if baseline.variance is None else baseline.variance
    # Of both arms together at the very least: the deviation over the effect, squared.
    if not effect or not isfinite(effect) or sqrt(max(variance, 0.0)) / abs(effect) <= sqrt(MOST_UNITS):
        return []
    what = said("{mde:g} takes more than {most:,} units, and more than 10 years", mde=effect, most=MOST_UNITS)
    return [Fault("mde", what, "an effect that a plan can reach")]


def achieved_power(baseline: Baseline, wish: Wish, units: int) -> float:
    """The chance that so many units in all find the effect wished for."""
    effect = _effect(baseline, wish) or 0.0
    return power_of(_pair(baseline, effect, wish), effect, _of_a_pair(units, wish))
