"""CUPED takes out exactly what covariates explain."""

import numpy as np
import pytest
from statsmodels.api import OLS

from tasuki.stats.adjustment import adjusted, coefficients, within_arms
from tasuki.stats.contrast import Estimate, welch
from tasuki.stats.moments import Moments, moments_of, no_moments


def drawn(seed: int = 1, n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    before, other = rng.normal(10, 3, n), rng.normal(-2, 1, n)
    return np.column_stack([2 * before + other + rng.normal(0, 1, n), before, other])


def test_several_coefficients_are_least_squares() -> None:
    table = drawn()
    centred = table - table.mean(axis=0)
    judge = np.linalg.lstsq(centred[:, 1:], centred[:, 0], rcond=None)[0]
    assert coefficients(moments_of(table.tolist())) == pytest.approx(judge, rel=1e-9)


def test_the_variance_left_is_that_of_the_residuals() -> None:
    table = drawn()
    sample = moments_of(table.tolist())
    theta = coefficients(sample)
    residuals = table[:, 0] - table[:, 1:] @ np.array(theta)
    assert adjusted(sample, theta, sample).variance == pytest.approx(residuals.var(ddof=1), rel=1e-9)
    assert adjusted(sample, theta, sample).mean == pytest.approx(table[:, 0].mean(), rel=1e-12)


@pytest.mark.parametrize("column", [lambda t: t[:, 1], lambda t: 3 * t[:, 1] + 1, lambda t: np.ones(len(t))])
def test_a_covariate_that_adds_nothing_changes_nothing(column) -> None:
    table = drawn()
    doubled = np.column_stack([table, column(table)])
    plain, more = moments_of(table.tolist()), moments_of(doubled.tolist())
    one = adjusted(plain, coefficients(plain), plain)
    other = adjusted(more, coefficients(more), more)
    assert other.variance == pytest.approx(one.variance, rel=1e-6)


def test_within_arms_are_the_covariances_of_units_less_their_arms_means() -> None:
    control, treatment = drawn(2, 300), drawn(3, 50) + np.array([40.0, 1.0, -2.0])
    found = within_arms([moments_of(control.tolist()), moments_of(treatment.tolist())])
    less = np.concatenate([control - control.mean(axis=0), treatment - treatment.mean(axis=0)])
    assert np.array(found.covariances) == pytest.approx(less.T @ less / (350 - 2), rel=1e-9)
    assert found.n == 350
    assert found.means == pytest.approx(np.concatenate([control, treatment]).mean(axis=0), rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 1.0, 1e6])
def test_an_effect_changes_no_coefficient(shift: float) -> None:
    control, treatment = drawn(4), drawn(5)
    arms = [moments_of(control.tolist()), moments_of((treatment + np.array([shift, 0, 0])).tolist())]
    table = np.concatenate([control, treatment])
    arm = np.repeat([0.0, 1.0], 400)
    judge = OLS(table[:, 0], np.column_stack([1 - arm, arm, table[:, 1:]])).fit().params[2:]
    assert coefficients(within_arms(arms)) == pytest.approx(judge, rel=1e-7)


def test_an_arm_with_one_unit_or_none_adds_nothing() -> None:
    many = moments_of(drawn(6).tolist())
    for few in (moments_of([[1.0, 2.0, 3.0]]), no_moments(3)):
        assert np.array(within_arms([many, few]).covariances) == pytest.approx(np.array(many.covariances))


def test_what_arms_share_widens_the_ratio_and_not_the_difference() -> None:
    rng = np.random.default_rng(7)
    ratios, estimates, n = [], [], 150
    for _ in range(1_500):
        control, treatment = (
            np.column_stack([2 * one + rng.normal(0, 1, n) + shift, one])
            for one, shift in ((rng.normal(10, 3, n), 0.0), (rng.normal(10, 3, n), 40.0))
        )
        arms = [moments_of_table(one) for one in (control, treatment)]
        theta = coefficients(within_arms(arms))
        c, t = (adjusted(one, theta, arms[0] + arms[1]) for one in arms)
        both = [Estimate(one.mean, one.variance / n, n, shared=one.shared) for one in (c, t)]
        ratios.append(t.mean / c.mean)
        estimates.append(welch(*both))
    found = estimates[0]
    half = (found.relative_high - found.relative_low) / 2
    assert half == pytest.approx(1.97 * np.std(ratios), rel=0.12)
    assert np.mean([one.relative_low <= 2 <= one.relative_high for one in estimates]) == pytest.approx(0.95, abs=0.02)
    assert np.mean([one.low <= 40 <= one.high for one in estimates]) == pytest.approx(0.95, abs=0.02)


def moments_of_table(table: np.ndarray) -> Moments:
    return Moments(len(table), tuple(table.mean(axis=0)), tuple(map(tuple, np.cov(table.T))))
