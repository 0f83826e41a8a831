"""The effect of one arm against another, held against scipy and against its own meaning."""

from itertools import pairwise
from math import inf, isnan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tasuki.stats.contrast import Estimate, Limit, fieller, non_inferiority, welch
from tasuki.stats.false_win import false_win_risk
from tasuki.stats.multiple import benjamini_hochberg, holm
from tasuki.stats.power import Sizing, detectable_effect, power_of, units_needed
from tasuki.stats.proportion import newcombe, wilson
from tasuki.stats.quantile import levels, quantile_estimate
from tasuki.stats.sequential import Boundary, always_valid
from tasuki.stats.split import split_p_value

SAMPLES = st.lists(st.floats(-100, 100), min_size=3, max_size=40)
COUNTS = st.tuples(st.integers(0, 60), st.integers(1, 60)).filter(lambda one: one[0] <= one[1])


def estimate(sample: list[float] | np.ndarray) -> Estimate:
    return Estimate(float(np.mean(sample)), float(np.var(sample, ddof=1)) / len(sample), len(sample))


@given(SAMPLES, SAMPLES, st.floats(0.001, 0.5))
def test_welch_is_scipys(control: list[float], treatment: list[float], alpha: float) -> None:
    assume(np.var(control) + np.var(treatment) > 1e-3)
    found = welch(estimate(control), estimate(treatment), alpha)
    judge = stats.ttest_ind(treatment, control, equal_var=False)
    bounds = judge.confidence_interval(1 - alpha)
    assert found.p_value == pytest.approx(judge.pvalue, rel=1e-8, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high), rel=1e-8, abs=1e-9)


@given(SAMPLES, SAMPLES, st.floats(0.1, 20))
def test_non_inferiority_is_a_shifted_one_sided_test(control: list, treatment: list, margin: float) -> None:
    assume(min(np.var(control), np.var(treatment)) > 0.1)
    shifted = np.array(control) - margin
    judge = stats.ttest_ind(treatment, shifted, equal_var=False, alternative="greater").pvalue
    found = non_inferiority(estimate(control), estimate(treatment), Limit(margin))
    assert found == pytest.approx(judge, rel=1e-8, abs=1e-12)
    lower = np.array(control) + margin
    judge = stats.ttest_ind(treatment, lower, equal_var=False, alternative="less").pvalue
    found = non_inferiority(estimate(control), estimate(treatment), Limit(margin, higher_is_better=False))
    assert found == pytest.approx(judge, rel=1e-8, abs=1e-12)


ESTIMATES = st.builds(Estimate, st.floats(-50, 50), st.floats(0.01, 20), st.integers(2, 5_000))


@given(ESTIMATES, ESTIMATES)
def test_the_relative_interval_holds_zero_exactly_when_the_absolute_one_does(
    control: Estimate, treatment: Estimate
) -> None:
    found = welch(control, treatment)
    if min(abs(found.low), abs(found.high)) > 1e-6 and found.relative_low > -inf:
        assert (found.low < 0 < found.high) == (found.relative_low < 0 < found.relative_high)


def test_fieller_bounds_solve_its_quadratic() -> None:
    control, treatment, z = Estimate(4.0, 0.3, 50), Estimate(5.0, 0.2, 60), 1.96
    low, high = fieller(control, treatment, z)
    roots = np.roots([4.0**2 - z**2 * 0.3, -2 * 4.0 * 5.0, 5.0**2 - z**2 * 0.2])
    assert sorted((low + 1, high + 1)) == pytest.approx(sorted(roots), rel=1e-12)


def test_relative_is_open_when_control_may_be_zero() -> None:
    found = welch(Estimate(0.1, 1.0, 50), Estimate(5.0, 0.2, 60))
    assert (found.relative_low, found.relative_high) == (-inf, inf)


def test_no_variance_gives_no_p_value_and_no_interval() -> None:
    found = welch(Estimate(1.0, 0.0, 50), Estimate(2.0, 0.0, 60))
    assert isnan(found.p_value)
    assert (found.effect, found.low, found.high) == (1, -inf, inf)
    assert (found.relative, found.relative_low, found.relative_high) == (1, -inf, inf)


@given(COUNTS)
def test_wilson_is_scipys(count: tuple[int, int]) -> None:
    judge = stats.binomtest(*count).proportion_ci(method="wilson")
    assert wilson(*count) == pytest.approx((judge.low, judge.high), rel=1e-8, abs=1e-9)


def test_newcombe_gives_the_papers_intervals() -> None:
    # Newcombe 1998, Table II, method 10: 56/70 − 48/80, 9/10 − 3/10, 10/10 − 0/20, 10/10 − 0/10.
    expected = {
        ((48, 80), (56, 70)): (0.0524, 0.3339),
        ((3, 10), (9, 10)): (0.1705, 0.8090),
        ((0, 20), (10, 10)): (0.6791, 1.0),
        ((0, 10), (10, 10)): (0.6075, 1.0),
    }
    for (control, treatment), bounds in expected.items():
        assert newcombe(control, treatment) == pytest.approx(bounds, abs=6e-5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_values_keep_order_and_grow(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values), rel=1e-9)
    adjusted = holm(p_values)
    assert all(after >= before - 1e-15 for before, after in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert all(adjusted[a] <= adjusted[b] for a, b in pairwise(order))


def test_holm_by_hand_and_unknown_ones_do_not_count() -> None:
    found = holm([0.01, float("nan"), 0.04, 0.03])
    assert found[0] == pytest.approx(0.03)
    assert found[2:] == pytest.approx((0.06, 0.06))
    assert isnan(found[1])


@given(st.lists(st.integers(0, 500), min_size=2, max_size=5).filter(any))
def test_the_split_test_is_scipys(counts: list[int]) -> None:
    shares = [1 / len(counts)] * len(counts)
    assert split_p_value(counts, shares) == pytest.approx(stats.chisquare(counts).pvalue, rel=1e-8)


def test_power_units_and_effect_are_inverse() -> None:
    sizing = Sizing(2.0, 3.0, 0.3, 0.05, 0.8)
    units = units_needed(sizing, 0.1)
    assert power_of(sizing, 0.1, units) == pytest.approx(0.8, abs=1e-3)
    assert detectable_effect(sizing, units) == pytest.approx(0.1, rel=1e-3)


def test_sixteen_variances_over_delta_squared() -> None:
    assert units_needed(Sizing(1.0, 1.0), 0.1) / 2 == pytest.approx(16 / 0.1**2, rel=0.02)


def test_false_win_risk_is_the_papers() -> None:
    # Kohavi, Deng & Vermeer 2022: 15 % prior at 80 % power gives about 15 %; Bing's 15 %, Airbnb's 8 % about 26 %.
    assert false_win_risk(prior=0.15) == pytest.approx(0.15, abs=0.003)
    assert false_win_risk(prior=0.08) == pytest.approx(0.264, abs=0.003)


def test_quantile_intervals_cover() -> None:
    rng = np.random.default_rng(5)
    truth, inside = float(stats.expon.ppf(0.9)), 0
    for _ in range(1_000):
        sample = np.sort(rng.exponential(size=400))
        asked = levels(0.9, 400)
        found = quantile_estimate(tuple(np.quantile(sample, [asked.low, asked.at, asked.high])), 400)
        inside += abs(found.value - truth) <= 1.96 * found.variance**0.5
    assert 0.925 < inside / 1_000 < 0.975


def test_an_always_valid_p_value_agrees_with_its_interval() -> None:
    control = Estimate(1.0, 0.01, 800)
    for treatment in (Estimate(1.2, 0.01, 800), Estimate(1.6, 0.01, 800), Estimate(1.9, 0.01, 700)):
        found = always_valid(control, treatment, 0.05, 1_000)
        assert (found.p_value < 0.05) == (found.low > 0)


def test_looking_after_every_percent_raises_no_more_than_the_promised_false_alarms() -> None:
    rng = np.random.default_rng(6)
    runs, n, false_alarms, naive = 1_000, 2_000, 0, 0
    looks = np.linspace(n // 100, n, 100).astype(int)
    for _ in range(runs):
        sums = np.cumsum(rng.exponential(size=(2, n)), axis=1)
        squares = np.cumsum((sums[:, 1:] - sums[:, :-1]) ** 2, axis=1)
        at = looks[looks > 30]
        means = sums[:, at - 1] / at
        variances = (squares[:, at - 2] - at * means**2) / (at - 1) / at
        z = np.abs(means[1] - means[0]) / np.sqrt(np.abs(variances.sum(axis=0)))
        critical = np.array([Boundary(2 * int(k), 0.05, 2_000).critical for k in at])
        false_alarms += bool((z > critical).any())
        naive += bool((z > 1.96).any())
    assert false_alarms / runs <= 0.05
    assert naive / runs > 0.2
