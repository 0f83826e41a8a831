"""Two proportions by the score test: published figures, statsmodels, its own meaning, and exact coverage."""

from itertools import product
from math import exp, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from scipy.special import xlog1py, xlogy
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.proportion import test_proportions_2indep as score_test

from tasuki.experiments.comparison import Result
from tasuki.experiments.design import Design
from tasuki.experiments.effects import Pair, effect_of
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Metric
from tasuki.metrics.statistics import Cell, Sample
from tasuki.stats.contrast import Limit
from tasuki.stats.moments import Moments
from tasuki.stats.score import (
    FEW_EVENTS,
    SMALL_COUNT,
    Count,
    difference_interval,
    ratio_interval,
    score_non_inferiority,
    score_of_difference,
    score_of_ratio,
    scored,
)

COUNTS = st.tuples(st.integers(0, 60), st.integers(1, 60)).filter(lambda one: one[0] <= one[1])
LARGE = st.tuples(st.integers(1, 99), st.integers(100, 10**7))
LEVELS = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.2])


def test_the_authors_package_prints_the_same() -> None:
    # ratesci: scasci(5, 56, 0, 29) for RD and RR, and the test that belongs to it.
    control, treatment = (0, 29), (5, 56)
    assert difference_interval(control, treatment) == pytest.approx((-0.0186, 0.1867), abs=5e-5)
    assert ratio_interval(control, treatment) == pytest.approx((0.7696 - 1, inf), abs=5e-5)
    assert score_of_difference(control, treatment, 0) == pytest.approx(1.739213, abs=5e-7)
    assert scored(control, treatment).p_value == pytest.approx(0.08199729, abs=5e-9)
    assert score_non_inferiority(control, treatment, Limit(0.0)) == pytest.approx(0.04099865, abs=5e-9)


def plain(z: float, g: float) -> float:
    """What the score was before it was corrected for skewness."""
    return z + g * (z * z - 1)


def likelihood(control: Count, treatment: Count, pair: tuple[float, float]) -> float:
    return sum(float(xlogy(k, p) + xlog1py(n - k, -p)) for (k, n), p in zip((control, treatment), pair, strict=True))


@given(COUNTS, COUNTS, st.floats(-0.9, 0.9))
@settings(deadline=None, max_examples=60)
def test_the_score_of_a_difference_is_at_the_maximum_of_the_likelihood_and_corrected_for_skewness(
    control: Count, treatment: Count, difference: float
) -> None:
    found = score_of_difference(control, treatment, difference)
    assume(abs(found) < 4)
    low, high = max(0.0, -difference), min(1.0, 1 - difference)
    best = optimize.minimize_scalar(
        lambda p: -likelihood(control, treatment, (p, p + difference)), bounds=(low, high), method="bounded",
        options={"xatol": 1e-10},
    ).x  # fmt: skip
    (_, n_c), (_, n_t) = control, treatment
    q_c, q_t = best * (1 - best), (best + difference) * (1 - best - difference)
    assume(min(q_c, q_t) > 1e-4)
    variance = (q_c / n_c + q_t / n_t) * (n_c + n_t) / (n_c + n_t - 1)
    third = q_t * (1 - 2 * (best + difference)) / n_t**2 - q_c * (1 - 2 * best) / n_c**2
    g = third / (6 * variance**1.5)
    assume(1 + 2 * g * found > 0.05)
    right = (treatment[0] / n_t - control[0] / n_c - difference) / sqrt(variance)
    assert plain(found, g) == pytest.approx(right, rel=2e-4, abs=2e-4)


@given(COUNTS, COUNTS)
@settings(deadline=None, max_examples=60)
def test_arms_of_one_size_without_a_difference_have_nothing_to_correct(control: Count, treatment: Count) -> None:
    treatment = (min(treatment[0], control[1]), control[1])
    assume(0 < control[0] + treatment[0] < 2 * control[1])
    judge = score_test(*treatment, *control, value=0, compare="diff", method="score", correction=False)
    right = float(judge.statistic) * sqrt(1 - 1 / (2 * control[1]))
    assert score_of_difference(control, treatment, 0) == pytest.approx(right, rel=1e-9, abs=1e-9)


def test_with_many_successes_both_intervals_are_statsmodels() -> None:
    control, treatment = (4_000, 40_000), (4_300, 40_000)
    for found, compare, shift in (
        (difference_interval(control, treatment), "diff", 0.0),
        (ratio_interval(control, treatment), "ratio", 1.0),
    ):
        judge = confint_proportions_2indep(*treatment, *control, method="score", compare=compare)
        width = judge[1] - judge[0]
        assert (found[0] + shift, found[1] + shift) == pytest.approx(judge, abs=1e-3 * width)


@given(st.one_of(COUNTS, LARGE), st.one_of(COUNTS, LARGE), LEVELS)
@settings(deadline=None)
def test_both_intervals_hold_no_difference_exactly_when_p_is_above_the_level(
    control: Count, treatment: Count, alpha: float
) -> None:
    found = scored(control, treatment, alpha)
    assert 0 <= found.p_value <= 1
    assert -1 <= found.low <= found.effect <= found.high <= 1
    assert -1 <= found.relative_low <= found.relative_high
    if abs(found.p_value - alpha) > 1e-9:
        assert (found.low <= 0 <= found.high) == (found.p_value > alpha)
        assert (found.relative_low <= 0 <= found.relative_high) == (found.p_value > alpha)


@given(st.one_of(COUNTS, LARGE), st.one_of(COUNTS, LARGE), LEVELS)
@settings(deadline=None)
def test_arms_that_change_places_turn_the_intervals_round(control: Count, treatment: Count, alpha: float) -> None:
    found, turned = scored(control, treatment, alpha), scored(treatment, control, alpha)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), rel=1e-7, abs=1e-10)
    assert turned.p_value == pytest.approx(found.p_value, rel=1e-7)
    if control[0] and treatment[0] and min(found.relative_low, turned.relative_low) > -1 + 1e-9:
        assert turned.relative_low + 1 == pytest.approx(1 / (found.relative_high + 1), rel=1e-7)
        assert turned.relative_high + 1 == pytest.approx(1 / (found.relative_low + 1), rel=1e-7)
    failures = scored((control[1] - control[0], control[1]), (treatment[1] - treatment[0], treatment[1]), alpha)
    assert (failures.low, failures.high) == pytest.approx((-found.high, -found.low), rel=1e-5, abs=1e-9)


@given(COUNTS, COUNTS, st.sampled_from([(0.2, 0.05), (0.05, 0.01), (0.01, 0.001)]))
@settings(deadline=None)
def test_a_surer_interval_is_wider_and_one_more_success_moves_it_up(
    control: Count, treatment: Count, levels: tuple[float, float]
) -> None:
    narrow, wide = (scored(control, treatment, alpha) for alpha in levels)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high
    assert wide.relative_low <= narrow.relative_low
    assert narrow.relative_high <= wide.relative_high
    if treatment[0] < treatment[1]:
        more = scored(control, (treatment[0] + 1, treatment[1]), levels[0])
        assert more.low >= narrow.low - 1e-9
        assert more.high >= narrow.high - 1e-9


@given(COUNTS, COUNTS)
@settings(deadline=None, max_examples=50)
def test_every_difference_and_ratio_inside_is_accepted_and_every_one_outside_is_not(
    control: Count, treatment: Count
) -> None:
    z = stats.norm.ppf(0.975)
    low, high = difference_interval(control, treatment)
    for one in np.linspace(-0.999, 0.999, 101):
        if min(abs(one - low), abs(one - high)) > 1e-6:
            assert (abs(score_of_difference(control, treatment, one)) <= z) == (low < one < high)
    if control[0] and treatment[0]:
        low, high = (log(one + 1) for one in ratio_interval(control, treatment))
        for one in np.linspace(-8, 8, 101):
            if min(abs(one - low), abs(one - high)) > 1e-6:
                assert (abs(score_of_ratio(control, treatment, exp(one))) <= z) == (low < one < high)


@given(st.one_of(COUNTS, LARGE), st.one_of(COUNTS, LARGE))
@settings(deadline=None)
def test_a_bound_is_where_the_score_is_critical_however_different_the_arms(control: Count, treatment: Count) -> None:
    z = stats.norm.ppf(0.975)
    assume(0 < control[0] + treatment[0] < control[1] + treatment[1])
    for bound, score in zip(difference_interval(control, treatment), (z, -z), strict=True):
        if abs(bound) < 1 - 1e-12:
            assert score_of_difference(control, treatment, bound) == pytest.approx(score, abs=1e-6)


@given(COUNTS, COUNTS, st.sampled_from([0.02, 0.1, 0.5]), st.booleans(), st.booleans())
@settings(deadline=None)
def test_a_guardrail_holds_exactly_when_the_interval_keeps_clear_of_its_limit(
    control: Count, treatment: Count, amount: float, is_relative: bool, higher_is_better: bool
) -> None:
    p = score_non_inferiority(control, treatment, Limit(amount, is_relative, higher_is_better))
    low, high = (ratio_interval if is_relative else difference_interval)(control, treatment)
    assert 0 <= p <= 1
    if abs(p - 0.025) > 1e-9:
        assert (p < 0.025) == (low > -amount if higher_is_better else high < amount)


def test_a_ratio_without_successes_is_open() -> None:
    assert ratio_interval((0, 50), (3, 50))[1] == inf
    assert ratio_interval((0, 50), (3, 50))[0] > -1
    assert ratio_interval((3, 50), (0, 50))[0] == -1
    assert ratio_interval((0, 50), (0, 50)) == (-1, inf)
    low, high = ratio_interval((50, 50), (50, 50))
    assert low < 0 < high
    assert scored((0, 50), (0, 50)).p_value == 1
    low, high = difference_interval((0, 50), (0, 50))
    assert -0.08 < low < -0.04
    assert high == pytest.approx(-low)


def test_a_loss_of_all_and_more_is_no_limit() -> None:
    assert score_non_inferiority((5, 50), (3, 50), Limit(1.5, is_relative=True)) < 1e-9
    assert score_non_inferiority((5, 50), (3, 50), Limit(1.5)) < 1e-9


# ------------------------------------------------------------------------------------------------------ exact coverage

SHARE = BoundMetric(Metric("m", "proportion", "x"), (), ((0, None),), None)


def compared(control: Count, treatment: Count) -> Result:
    """What a comparison says of counts, whatever its method is."""
    cells = []
    for name, (k, n) in (("a", control), ("b", treatment)):
        p = k / n
        cells.append(Cell(name, None, n, (Sample(Moments(n, (p,), ((p * (1 - p) * n / (n - 1),),))),)))
    return effect_of(Pair(*cells), 0, SHARE, Design())


@pytest.mark.parametrize(
    ("n_control", "n_treatment", "p_control", "p_treatment"),
    [(100, 120, 0.06, 0.08), (250, 350, 0.02, 0.03), (400, 80, 0.1, 0.1), (60, 300, 0.1, 0.05), (110, 110, 0.3, 0.36)],
)
def test_intervals_of_a_comparison_hold_the_truth_95_times_in_100_exactly(
    n_control: int, n_treatment: int, p_control: float, p_treatment: float
) -> None:
    spans = [stats.binom.ppf([1e-6, 1 - 1e-6], n, p).astype(int) for n, p in
             ((n_control, p_control), (n_treatment, p_treatment))]  # fmt: skip
    held = np.zeros(2)
    for c, t in product(*(range(low, high + 1) for low, high in spans)):
        weight = stats.binom.pmf(c, n_control, p_control) * stats.binom.pmf(t, n_treatment, p_treatment)
        if weight > 1e-7:
            one = compared((c, n_control), (t, n_treatment))
            truths = (p_treatment - p_control, p_treatment / p_control - 1)
            bounds = ((one.effect_low, one.effect_high), (one.relative_low, one.relative_high))
            held += [
                weight * ((low is None or low <= truth) and (high is None or truth <= high))
                for truth, (low, high) in zip(truths, bounds, strict=True)
            ]
    assert min(n_control * p_control, n_treatment * p_treatment) >= FEW_EVENTS
    assert held == pytest.approx([0.95, 0.95], abs=0.01)


def test_the_method_changes_where_students_t_is_as_good() -> None:
    few, many = compared((SMALL_COUNT - 1, 3_000), (110, 3_000)), compared((SMALL_COUNT, 3_000), (110, 3_000))
    assert (few.method, many.method) == ("score", "welch")
    assert few.p_value == pytest.approx(many.p_value, abs=0.07)
    same = scored((SMALL_COUNT, 3_000), (110, 3_000))
    width = many.effect_high - many.effect_low
    assert (same.low, same.high) == pytest.approx((many.effect_low, many.effect_high), abs=0.01 * width)
