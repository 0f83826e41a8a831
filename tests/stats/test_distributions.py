"""The distributions are scipy's, to nine digits, wherever a test can reach."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from tasuki.stats.distributions import (
    chi_squared_tail,
    normal_cdf,
    normal_quantile,
    t_cdf,
    t_quantile,
    t_two_sided,
)

DEGREES = st.floats(0.5, 1e8)
STATISTICS = st.floats(-60, 60)
PROBABILITIES = st.floats(1e-9, 1 - 1e-9)


@given(STATISTICS, DEGREES)
def test_t_tail_is_scipys(statistic: float, degrees: float) -> None:
    expected = 2 * special.stdtr(degrees, -abs(statistic))
    assert t_two_sided(statistic, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-250)
    assert t_cdf(statistic, degrees) == pytest.approx(special.stdtr(degrees, statistic), rel=1e-9, abs=1e-250)


@given(PROBABILITIES, st.floats(1, 1e8))
def test_t_quantile_is_scipys(p: float, degrees: float) -> None:
    assert t_quantile(p, degrees) == pytest.approx(special.stdtrit(degrees, p), rel=1e-8, abs=1e-9)


@given(st.floats(-37, 37), PROBABILITIES)
def test_normal_is_scipys(z: float, p: float) -> None:
    assert normal_cdf(z) == pytest.approx(special.ndtr(z), rel=1e-9, abs=1e-300)
    assert normal_quantile(p) == pytest.approx(special.ndtri(p), rel=1e-9, abs=1e-12)


@given(st.floats(0, 700), st.integers(1, 60))
def test_chi_squared_tail_is_scipys(statistic: float, degrees: int) -> None:
    assert chi_squared_tail(statistic, degrees) == pytest.approx(special.chdtrc(degrees, statistic), rel=1e-9)


def test_infinite_degrees_are_the_normal() -> None:
    assert t_two_sided(1.96, inf) == pytest.approx(2 * special.ndtr(-1.96), rel=1e-12)
    assert t_quantile(0.975, inf) == pytest.approx(special.ndtri(0.975), rel=1e-12)


def test_half_is_zero_and_no_number_stays_none() -> None:
    assert t_quantile(0.5, 7) == 0
    assert np.isnan(t_two_sided(float("nan"), 3))
    assert t_two_sided(inf, 3) == 0
