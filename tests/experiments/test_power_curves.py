"""Power curves go through the plan, rise with effect and days, and never leave what is possible."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.experiments.power_curves import power_by_days, power_by_effect
from tasuki.experiments.sizing import Baseline, Wish, equal_shares, size_experiment


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
