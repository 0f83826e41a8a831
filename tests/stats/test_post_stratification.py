"""Strata: held against least squares and against their own meaning."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.stats.contrast import welch
from tasuki.stats.heterogeneity import heterogeneity
from tasuki.stats.moments import Moments, no_moments
from tasuki.stats.strata import LEAST_UNITS, post_stratified, put_together


def moments(rows: np.ndarray) -> Moments:
    rows = np.asarray(rows, dtype=float).reshape(len(rows), -1)
    spread = np.atleast_2d(np.cov(rows, rowvar=False))
    return Moments(len(rows), tuple(rows.mean(axis=0)), tuple(map(tuple, spread)))


@pytest.fixture
def drawn() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(5)
    n = 3_000
    stratum, arm = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1]), rng.integers(0, 2, n)
    covariate = rng.normal(3 * stratum, 1.0)
    value = 10 * stratum + 0.7 * covariate + rng.gamma(1.0, 2.0, n) + arm * (0.1 + 0.2 * stratum)
    return stratum, arm, covariate, value


def strata_of(stratum: np.ndarray, arm: np.ndarray, *columns: np.ndarray) -> list[tuple[Moments, Moments]]:
    rows = np.column_stack(columns)
    return [
        (moments(rows[(stratum == h) & (arm == 0)]), moments(rows[(stratum == h) & (arm == 1)]))
        for h in np.unique(stratum)
    ]


def test_the_difference_is_that_of_least_squares_on_strata_and_arms(drawn: tuple) -> None:
    stratum, arm, _, value = drawn
    dummies = (stratum[:, None] == np.unique(stratum)).astype(float)
    centred = dummies[:, 1:] - dummies[:, 1:].mean(axis=0)
    # Saturated in strata x arm with centred dummies: the arm's coefficient is the effect at the units' own mix.
    design = np.column_stack([np.ones(len(arm)), arm, centred, centred * arm[:, None]])
    judge = np.linalg.lstsq(design, value, rcond=None)[0][1]
    control, treatment, _ = post_stratified(strata_of(stratum, arm, value)).ratios([(0, None)]).estimates()
    assert treatment.value - control.value == pytest.approx(judge, rel=1e-9)


def test_with_a_covariate_the_difference_is_adjusted_within_strata(drawn: tuple) -> None:
    stratum, arm, covariate, value = drawn
    strata = strata_of(stratum, arm, value, covariate)
    plain = post_stratified(strata_of(stratum, arm, value)).ratios([(0, None)]).estimates()
    better = post_stratified(strata).ratios([(0, None), (1, None)]).estimates()
    narrow, wide = (one[0].variance + one[1].variance - 2 * one[2] for one in (better, plain))
    assert narrow < 0.95 * wide
    shift = [post_stratified(strata).joint.means[at] for at in (0, 1, 2, 3)]
    theta = ((shift[2] - shift[0]) - (better[1].value - better[0].value)) / (shift[3] - shift[1])
    assert theta == pytest.approx(0.7, abs=0.15)


def test_one_stratum_is_welch(drawn: tuple) -> None:
    _, arm, _, value = drawn
    both = (moments(value[arm == 0]), moments(value[arm == 1]))
    control, treatment, covariance = post_stratified([both]).ratios([(0, None)]).estimates()
    assert covariance == pytest.approx(0, abs=1e-12)
    found = welch(control, treatment)
    from scipy import stats

    judge = stats.ttest_ind(value[arm == 1], value[arm == 0], equal_var=False)
    assert found.p_value == pytest.approx(judge.pvalue, rel=1e-9)
    assert found.low == pytest.approx(judge.confidence_interval().low, rel=1e-9)


def test_a_ratio_of_stratified_means_is_linearised_around_itself(drawn: tuple) -> None:
    stratum, arm, covariate, value = drawn
    below = np.abs(covariate) + 1
    control, treatment, _ = post_stratified(strata_of(stratum, arm, value, below)).ratios([(0, 1)]).estimates()
    for at, found in ((0, control), (1, treatment)):
        shares = np.bincount(stratum) / len(stratum)
        means = [
            sum(share * column[(stratum == h) & (arm == at)].mean() for h, share in enumerate(shares))
            for column in (value, below)
        ]
        assert found.value == pytest.approx(means[0] / means[1], rel=1e-12)


SIZES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8)


@given(SIZES)
def test_thin_strata_are_put_together_without_losing_a_unit(sizes: list) -> None:
    given_strata = [tuple(Moments(n, (float(n),), ((1.0,),)) if n else no_moments(1) for n in pair) for pair in sizes]
    found, thin = put_together(given_strata)
    assert thin == sum(min(pair) < LEAST_UNITS for pair in sizes)
    for arm in (0, 1):
        assert sum(one[arm].n for one in found) == sum(pair[arm] for pair in sizes)
    if sum(min(pair) >= LEAST_UNITS for pair in sizes):
        assert all(min(one[0].n, one[1].n) >= LEAST_UNITS for one in found)


EFFECTS = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 3)), min_size=2, max_size=8)


@given(EFFECTS)
@settings(deadline=None)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_heterogeneity_is_statsmodels(effects: list) -> None:
    from scipy.stats import chi2
    from statsmodels.stats.meta_analysis import combine_effects

    values, errors = np.array(effects).T
    found = heterogeneity(list(values), list(errors))
    judge = combine_effects(values, errors**2)
    assert found.q == pytest.approx(judge.q, rel=1e-8, abs=1e-9)
    if judge.q > 1e-9:
        assert found.p_value == pytest.approx(chi2.sf(judge.q, judge.df), rel=1e-8, abs=1e-12)
        assert found.inconsistency == pytest.approx(max(0.0, judge.i2), rel=1e-6, abs=1e-9)
