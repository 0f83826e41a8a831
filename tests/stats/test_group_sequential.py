"""Boundaries of planned looks, held against published tables and simulated experiments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.stats.contrast import Estimate, spanned
from tasuki.stats.distributions import normal_quantile
from tasuki.stats.group_sequential import SPENDINGS, Look, boundaries, by_look, crossing_probability, spent

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)

# Jennison & Turnbull (2000), Tables 2.1 and 2.3, two-sided 5 %: by number of looks, Pocock's constant and O'Brien and
# Fleming's.
PUBLISHED = {2: (2.178, 1.977), 3: (2.289, 2.004), 4: (2.361, 2.024), 5: (2.413, 2.040), 10: (2.555, 2.087)}


@pytest.mark.parametrize("looks", PUBLISHED)
def test_published_constants_spend_five_percent(looks: int) -> None:
    fractions = [k / looks for k in range(1, looks + 1)]
    pocock, obrien_fleming = PUBLISHED[looks]
    assert crossing_probability([pocock] * looks, fractions) == pytest.approx(0.05, abs=1e-4)
    falling = [obrien_fleming / fraction**0.5 for fraction in fractions]
    assert crossing_probability(falling, fractions) == pytest.approx(0.05, abs=1e-4)


def test_boundaries_of_five_looks_are_the_published_ones() -> None:
    found = boundaries(0.05, FIVE, "obrien_fleming")
    assert found == pytest.approx((4.877, 3.357, 2.680, 2.290, 2.031), abs=6e-4)
    assert boundaries(0.05, FIVE, "pocock") == pytest.approx((2.438, 2.427, 2.410, 2.397, 2.386), abs=6e-4)


def test_one_look_is_the_normal_quantile() -> None:
    for spending in SPENDINGS:
        assert boundaries(0.05, (1.0,), spending)[0] == pytest.approx(normal_quantile(0.975), abs=1e-7)


RISING = st.lists(st.integers(3, 100), min_size=1, max_size=6, unique=True).map(
    lambda shares: tuple(one / 100 for one in sorted(shares))
)


@given(RISING, st.sampled_from(SPENDINGS), st.floats(0.005, 0.2))
@settings(max_examples=25, deadline=None)
def test_whatever_the_looks_no_more_is_spent_than_planned(fractions: tuple, spending: str, alpha: float) -> None:
    found = boundaries(alpha, fractions, spending)
    assert crossing_probability(found, fractions) <= spent(alpha, fractions[-1], spending) + 1e-6
    last = boundaries(alpha, fractions, spending, is_last=True)
    # A boundary beyond eight standard errors is cut off there, so what it would have spent is left.
    assert crossing_probability(last, fractions) == pytest.approx(alpha, abs=1e-6)


@given(RISING, st.sampled_from(SPENDINGS), st.floats(-5, 5))
@settings(max_examples=15, deadline=None)
def test_the_p_value_is_below_alpha_exactly_when_the_interval_excludes_zero(
    fractions: tuple, spending: str, statistic: float
) -> None:
    look = Look(0.05, fractions, spending)
    if abs(abs(statistic) - look.critical) > 1e-4:
        found = spanned(Estimate(0.0, 0.5, 90), Estimate(statistic, 0.5, 90), by_look(look))
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0) == (abs(statistic) > look.critical)


def test_the_p_value_falls_with_the_difference_and_is_the_plain_one_at_a_single_look() -> None:
    look = Look(0.05, (1.0,))
    assert look.p_value(1.959963985) == pytest.approx(0.05, abs=1e-6)
    assert look.p_value(-3.0) == pytest.approx(0.0026998, abs=1e-6)
    several = [Look(0.05, FIVE[:3]).p_value(z) for z in (0.0, 0.5, 1.0, 2.0, 3.0, 9.0)]
    assert several == sorted(several, reverse=True)
    assert several[0] == 1


@pytest.mark.parametrize("spending", SPENDINGS)
def test_simulated_experiments_without_an_effect_cross_in_five_percent(spending: str) -> None:
    rng = np.random.default_rng(11)
    steps = rng.standard_normal((40_000, 5)) * np.sqrt(0.2)
    reached = np.abs(np.cumsum(steps, axis=1) / np.sqrt(FIVE)) > boundaries(0.05, FIVE, spending)
    assert np.mean(reached.any(axis=1)) == pytest.approx(0.05, abs=3.5 * (0.05 * 0.95 / 40_000) ** 0.5)
