"""CUPED takes out exactly what covariates explain."""

import numpy as np
import pytest

from tasuki.stats.adjustment import adjusted, coefficients
from tasuki.stats.moments import moments_of


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
    assert adjusted(sample, theta, sample.means[1:]).variance == pytest.approx(residuals.var(ddof=1), rel=1e-9)
    assert adjusted(sample, theta, sample.means[1:]).mean == pytest.approx(table[:, 0].mean(), rel=1e-12)


@pytest.mark.parametrize("column", [lambda t: t[:, 1], lambda t: 3 * t[:, 1] + 1, lambda t: np.ones(len(t))])
def test_a_covariate_that_adds_nothing_changes_nothing(column) -> None:
    table = drawn()
    doubled = np.column_stack([table, column(table)])
    plain, more = moments_of(table.tolist()), moments_of(doubled.tolist())
    one = adjusted(plain, coefficients(plain), plain.means[1:])
    other = adjusted(more, coefficients(more), more.means[1:])
    assert other.variance == pytest.approx(one.variance, rel=1e-6)
