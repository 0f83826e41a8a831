"""Power curves go through the plan, rise with effect and days, and never leave what is possible."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.experiments.power_curves import (
    power_by_days,
    power_by_effect,
    registered_power_by_days,
    registered_power_by_effect,
)
from tasuki.experiments.sizing import Baseline, Plan, Wish, equal_shares, size_experiment
from tasuki.flow.records import ArmShare, ExperimentPlan, PlannedMetric


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 0.5), st.floats(0.02, 0.3), st.integers(2, 5), st.sampled_from([1, -1]))
def test_the_curve_of_a_proportion_goes_through_the_plan(base: float, share: float, arms: int, sign: int) -> None:
    plan = size_experiment(
        Baseline("proportion", base), Wish(sign * share, is_relative=True, shares=equal_shares(arms), units_per_day=1e4)
    )
    curve = power_by_effect(plan)
    effect, power = min(curve, key=lambda one: abs(one[0] - plan.mde))
    assert effect == pytest.approx(plan.mde)
    assert power == pytest.approx(plan.power, abs=2e-3)
    assert curve[0][1] == pytest.approx(plan.alpha / (arms - 1), rel=1e-3)
    powers = [power for _, power in curve]
    assert powers == sorted(powers)


def test_power_by_days_reaches_the_plan_in_its_days() -> None:
    plan = size_experiment(Baseline("mean", 20, 400), Wish(0.5, units_per_day=2000))
    curve = dict(power_by_days(plan))
    assert plan.days is not None
    assert curve[plan.days] >= plan.power - 1e-3
    assert curve[plan.days - 1] < plan.power
    assert list(curve.values()) == sorted(curve.values())


def test_without_units_per_day_there_are_no_days() -> None:
    assert power_by_days(size_experiment(Baseline("mean", 20, 400), Wish(0.5))) == ()


def test_no_effect_is_shown_that_would_leave_the_proportions() -> None:
    plan = size_experiment(Baseline("proportion", 0.9), Wish(0.08))
    assert max(effect for effect, _ in power_by_effect(plan)) < 0.1


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 50), st.floats(0.01, 0.4), st.integers(2, 4), st.floats(0.6, 0.95))
def test_a_registered_plan_has_the_curves_it_was_planned_with(
    variance: float, share: float, arms: int, power: float
) -> None:
    wish = Wish(share, is_relative=True, shares=equal_shares(arms), units_per_day=5_000, power=power)
    planned = size_experiment(Baseline("mean", 1.0, variance), wish)
    kept = registered(planned, share)
    by_effect = registered_power_by_effect(kept)
    assert [one for one, _ in by_effect] == pytest.approx([one for one, _ in power_by_effect(planned)])
    assert [one for _, one in by_effect] == pytest.approx([one for _, one in power_by_effect(planned)], abs=5e-3)
    chance = dict(registered_power_by_days(kept))
    for day, expected in power_by_days(planned):
        if day in chance and day * 5_000 > 100:
            assert chance[day] == pytest.approx(expected, abs=1e-2)


def test_a_registered_plan_without_units_per_day_has_no_days() -> None:
    planned = size_experiment(Baseline("mean", 1.0, 4.0), Wish(0.1, is_relative=True, units_per_day=5_000))
    assert registered_power_by_days(replace(registered(planned, 0.1), units_per_day=None)) == ()


def registered(planned: Plan, share: float) -> ExperimentPlan:
    """The record that is kept of a plan."""
    return ExperimentPlan(
        experiment="recency-ab",
        kind="comparison",
        unit="user",
        salt="recency-ab",
        arms=tuple(ArmShare(f"arm-{at}", 1 / planned.arms) for at in range(planned.arms)),
        metrics=(PlannedMetric("clicks", "primary"),),
        minimal_detectable_effect=share,
        power=planned.power,
        alpha=planned.alpha,
        units_needed=planned.units,
        days=max(1, planned.whole_weeks_days or 1),
        rule="ship when above 0",
        stop_rule="at the end",
        interactions="none",
        units_per_day=5_000,
    )
