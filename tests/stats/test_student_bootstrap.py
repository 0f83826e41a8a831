"""Student's bootstrap and the unit left out, held against scipy and against their own meaning."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tasuki.stats.bootstrap import (
    bootstrapped,
    bootstrapped_non_inferiority,
    guessed_skewness,
    skewness_of_difference,
    studentised,
)
from tasuki.stats.contrast import Estimate, Limit, welch
from tasuki.stats.moments import Moments, moments_of


def estimate(values: np.ndarray) -> Estimate:
    return Estimate(float(values.mean()), float(values.var(ddof=1)) / len(values), len(values))


def test_draws_scatter_as_scipys_bootstrap_of_the_studentised_difference() -> None:
    rng = np.random.default_rng(1)
    control, treatment = rng.exponential(5, 60), rng.exponential(6, 25)

    def statistic(t: np.ndarray, c: np.ndarray, axis: int = -1) -> np.ndarray:
        gap = t.mean(axis=axis) - c.mean(axis=axis) - (treatment.mean() - control.mean())
        spread = t.var(axis=axis, ddof=1) / t.shape[axis] + c.var(axis=axis, ddof=1) / c.shape[axis]
        return gap / np.sqrt(spread)

    judge = stats.bootstrap(
        (treatment, control), statistic, n_resamples=40_000, method="percentile", vectorized=True, rng=rng
    ).bootstrap_distribution
    found = studentised(control, treatment, draws=40_000)
    for p in (0.025, 0.25, 0.5, 0.75, 0.975):
        assert found.quantile(p) == pytest.approx(np.quantile(judge, p), abs=0.06)


def test_on_many_symmetric_values_it_is_welch() -> None:
    rng = np.random.default_rng(2)
    control, treatment = rng.normal(10, 2, 900), rng.normal(10.2, 3, 700)
    arms = estimate(control), estimate(treatment)
    found, judge = bootstrapped(*arms, studentised(control, treatment, draws=40_000)), welch(*arms)
    width = judge.high - judge.low
    assert (found.low, found.high) == pytest.approx((judge.low, judge.high), abs=0.03 * width)
    assert (found.relative_low, found.relative_high) == pytest.approx(
        (judge.relative_low, judge.relative_high), abs=0.03 * width / 10
    )
    assert found.p_value == pytest.approx(judge.p_value, abs=0.02)


def test_the_order_of_units_does_not_matter_and_the_interval_leans_to_the_long_tail() -> None:
    rng = np.random.default_rng(3)
    control, treatment = rng.lognormal(0, 1, 500), rng.lognormal(0, 1, 30)
    arms = estimate(control), estimate(treatment)
    found = bootstrapped(*arms, studentised(control, treatment))
    again = bootstrapped(*arms, studentised(control[::-1], rng.permutation(treatment)))
    assert (found.low, found.high) == pytest.approx((again.low, again.high), rel=1e-9)
    assert found.p_value == again.p_value
    assert found.high - found.effect > 1.2 * (found.effect - found.low)
    assert skewness_of_difference(control, treatment) > 0.1


def test_a_guardrail_is_judged_by_the_draws() -> None:
    rng = np.random.default_rng(4)
    control, treatment = rng.exponential(5, 80), rng.exponential(5, 60)
    arms, pivot = (estimate(control), estimate(treatment)), studentised(control, treatment)
    wide, narrow = (bootstrapped_non_inferiority(*arms, Limit(margin), pivot) for margin in (4.0, 0.1))
    assert 0 < wide < 0.025 < narrow < 1
    falling = bootstrapped_non_inferiority(*arms, Limit(4.0, higher_is_better=False), pivot)
    assert falling < 0.05


def test_skewness_of_one_mean_is_scipys() -> None:
    values = np.random.default_rng(5).exponential(1, 400)
    still = [0.0, 0.0]
    assert skewness_of_difference(still, values) == pytest.approx(stats.skew(values) / 400**0.5)
    assert skewness_of_difference(values, values) == pytest.approx(0, abs=1e-12)


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=30), st.integers(0, 29))
def test_moments_without_a_unit_are_those_of_the_others(values: list, at: int) -> None:
    left_out = values[at % len(values)]
    others = list(values)
    others.remove(left_out)
    found = moments_of([(one,) for one in values]).without(left_out)
    assert found.n == len(others)
    assert found.means[0] == pytest.approx(np.mean(others), rel=1e-9, abs=1e-9)
    assert found.covariances[0][0] == pytest.approx(np.var(others, ddof=1), rel=1e-6, abs=1e-6)


DRAWN = {
    "gamma": lambda rng, n: rng.gamma(0.5, 2.0, n),
    "lognormal": lambda rng, n: np.exp(rng.standard_normal(n) * 1.5),
    "mostly 0": lambda rng, n: rng.exponential(5, n) * (rng.random(n) < 0.04),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_guess_from_moments_is_not_below_the_skewness_and_falls_away_with_units(name: str) -> None:
    rng = np.random.default_rng(6)
    few, many = (tuple(DRAWN[name](rng, n) for n in sizes) for sizes in ((9_000, 900), (900_000, 90_000)))
    found = [
        guessed_skewness(*(Moments(len(x), (float(x.mean()),), ((float(x.var(ddof=1)),),)) for x in arms),
                         (float(arms[0].max()), float(arms[1].max())))
        for arms in (few, many)
    ]  # fmt: skip
    assert found[0] > 0.9 * skewness_of_difference(*few) > 0
    assert found[1] < found[0] / 3
    assert guessed_skewness(*[moments_of([(0.0,), (0.0,)])] * 2, (0.0, 0.0)) == 0


def test_arms_of_one_size_and_spread_have_no_skewness() -> None:
    sample = Moments(500, (2.0,), ((90.0,),))
    assert guessed_skewness(sample, sample, (300.0, 100.0)) == 0
