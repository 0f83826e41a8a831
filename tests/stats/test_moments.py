"""Moments add up like the samples they stand for, and survive large means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki.stats.moments import Moments, moments_of, no_moments

NUMBERS = st.floats(-1e6, 1e6)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=0, max_size=30)


def of(rows: list[tuple[float, float]]) -> Moments:
    """By numpy, in one go."""
    if len(rows) < 2:
        return moments_of(rows) if rows else no_moments(2)
    table = np.array(rows, dtype=np.longdouble).astype(float)
    covariance = np.cov(table, rowvar=False, ddof=1)
    return Moments(len(rows), tuple(table.mean(axis=0)), tuple(map(tuple, covariance)))


def assert_same(one: Moments, other: Moments, scale: float = 1e6) -> None:
    assert one.n == other.n
    if one.n:
        np.testing.assert_allclose(one.means, other.means, rtol=1e-9, atol=1e-9 * scale)
        np.testing.assert_allclose(one.covariances, other.covariances, rtol=1e-9, atol=1e-9 * scale**2)


@given(ROWS, ROWS)
def test_two_samples_add_up_to_one(left: list[tuple[float, float]], right: list[tuple[float, float]]) -> None:
    assert_same(of(left) + of(right), of(left + right))


@given(ROWS, ROWS, ROWS)
def test_any_grouping_gives_the_same(a: list, b: list, c: list) -> None:
    assert_same((of(a) + of(b)) + of(c), of(a) + (of(b) + of(c)))


@given(ROWS)
def test_one_by_one_is_all_at_once(rows: list[tuple[float, float]]) -> None:
    assert_same(moments_of(rows) if rows else no_moments(2), of(rows))


def test_large_means_keep_the_variance() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(1e9, 1, size=2_000)
    parts = [moments_of([(one,) for one in part]) for part in np.array_split(rows, 7)]
    total = sum(parts[1:], start=parts[0])
    assert total.covariances[0][0] == pytest.approx(rows.var(ddof=1), rel=1e-6)


def test_a_ratio_is_linearised_around_its_own_means() -> None:
    rng = np.random.default_rng(2)
    under = rng.poisson(5, 500) + 1.0
    over = rng.binomial(under.astype(int), 0.3)
    sample = moments_of(list(zip(over, under, strict=True))).ratios([(0, 1)])
    ratio = over.mean() / under.mean()
    contributions = (over - ratio * under) / under.mean()
    assert sample.means[0] == pytest.approx(ratio, rel=1e-12)
    assert sample.covariances[0][0] == pytest.approx(contributions.var(ddof=1), rel=1e-9)


def test_a_ratio_over_nothing_is_no_number() -> None:
    assert np.isnan(moments_of([(1.0, 0.0), (2.0, 0.0)]).ratios([(0, 1)]).means[0])
