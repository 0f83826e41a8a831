"""tea-tasting and scipy on drawn tables: where they have the same method, the numbers are the same to nine digits."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest
import tea_tasting as tt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

import tasuki
from tasuki.experiments.comparison import Comparison, Result
from tasuki.stats.score import SMALL_COUNT

SAME = 1e-9
RUNS = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Shape:
    """What a table looks like: its size, arms, shares, and how large and how far from zero its values are."""

    seed: int
    units: int
    arms: int
    scale: float
    away: float
    rate: float

    def table(self) -> pl.DataFrame:
        """Values are spread evenly, so that Student's t is the method at any size."""
        random = np.random.default_rng(self.seed)
        arm = np.concatenate([np.repeat(np.arange(self.arms), 4), random.integers(0, self.arms, self.units)])
        n = len(arm)
        before = random.uniform(-1, 1, n)
        views = random.integers(4, 12, n)
        return pl.DataFrame(
            {
                "arm": arm,
                "before": (before + self.away) * self.scale,
                "y": (before * 0.7 + random.uniform(-1, 1, n) + 0.2 * arm + self.away) * self.scale,
                "views": views,
                "clicks": random.binomial(views, 0.2 + 0.5 * self.rate),
                "won": (random.random(n) < self.rate).astype(int),
            }
        )


SHAPES = st.builds(
    Shape, st.integers(0, 2**32 - 1), st.integers(0, 400), st.integers(2, 4), st.sampled_from([1e-9, 1.0, 3.7, 1e12]),
    st.sampled_from([2.0, -5.0, 100.0]), st.sampled_from([0.02, 0.2, 0.5, 0.9]),
)  # fmt: skip


def compared(table: pl.DataFrame, **asked: Any) -> Comparison:
    return tasuki.compare(table, variant="arm", control="0", **asked)


def assert_judged(found: Result, judge: Any) -> None:
    size = max(abs(judge.effect_size_ci_lower), abs(judge.effect_size_ci_upper))
    assert found.control == pytest.approx(judge.control, rel=SAME, abs=0)
    assert found.treatment == pytest.approx(judge.treatment, rel=SAME, abs=0)
    # An effect or a bound may lie near 0, where it has only the digits of the interval that it belongs to.
    assert found.effect == pytest.approx(judge.effect_size, rel=SAME, abs=SAME * size)
    assert found.effect_low == pytest.approx(judge.effect_size_ci_lower, rel=SAME, abs=SAME * size)
    assert found.effect_high == pytest.approx(judge.effect_size_ci_upper, rel=SAME, abs=SAME * size)
    assert found.p_value == pytest.approx(judge.pvalue, rel=SAME, abs=0)


JUDGES = {
    "mean": (tt.Mean("y"), {"means": ["y"]}),
    "ratio": (tt.RatioOfMeans("clicks", "views"), {"ratios": [("clicks", "views")]}),
}


@pytest.mark.parametrize("name", JUDGES)
@RUNS
@given(SHAPES)
def test_tea_tasting_agrees_on_any_table(name: str, shape: Shape) -> None:
    judge, asked = JUDGES[name]
    table = shape.table()
    judged = tt.Experiment({name: judge}, variant="arm").analyze(table, control=0, all_variants=True)
    for result in compared(table, **asked).results:
        if not result.method.endswith("bootstrap"):
            assert_judged(result, judged[0, int(result.treatment_arm)][name])


ADJUSTED: dict[str, Any] = {"means": ["y"], "covariates": {"y": ["before"]}}


@RUNS
@given(SHAPES)
def test_tea_tasting_adjusts_the_same_where_arms_share_their_covariates(shape: Shape) -> None:
    half = shape.table()

    # The same covariates in every arm: chance makes no difference of them, and tea-tasting's coefficient, taken over
    # all units as one sample, is that from within the arms.
    def arm(k: int) -> pl.DataFrame:
        mixed = pl.col("y").shuffle(seed=shape.seed + k) * 0.5 + pl.col("before")
        return half.with_columns(pl.lit(k).alias("arm"), (mixed + 0.2 * k * shape.scale).alias("y"))

    arms = [arm(k) for k in range(shape.arms)]
    table = pl.concat(arms)
    judged = tt.Experiment({"y": tt.Mean("y", "before")}, variant="arm").analyze(table, control=0, all_variants=True)
    for result in compared(table, **ADJUSTED).results:
        if not result.method.endswith("bootstrap"):
            assert_judged(result, judged[0, int(result.treatment_arm)]["y"])


@RUNS
@given(SHAPES)
def test_tea_tasting_agrees_on_values_that_least_squares_adjusted(shape: Shape) -> None:
    table = shape.table()
    for result in compared(table, **ADJUSTED).results:
        pair = table.filter(pl.col("arm").is_in([0, int(result.treatment_arm)]))
        y, before, arm = (pair[one].to_numpy() for one in ("y", "before", "arm"))
        away, size = before - before.mean(), before.std()
        # Ordinary least squares of the metric on the arm and the covariate.
        columns = np.column_stack([arm == 0, arm != 0, away / size])
        slope = np.linalg.lstsq(columns, y - y.mean(), rcond=None)[0][2] / size
        adjusted = pair.with_columns(pl.Series("adjusted", y - slope * away))
        judged = tt.Experiment({"y": tt.Mean("adjusted")}, variant="arm").analyze(adjusted, control=0)
        if not result.method.endswith("bootstrap"):
            assert_judged(result, judged["y"])


@RUNS
@given(SHAPES)
def test_the_split_is_tea_tastings_and_scipys(shape: Shape) -> None:
    table = shape.table()
    shares = dict(enumerate(np.arange(1, shape.arms + 1) / sum(range(1, shape.arms + 1))))
    found = compared(table, means=["y"], split={str(arm): share for arm, share in shares.items()})
    counts = table["arm"].value_counts(sort=False).sort("arm")["count"].to_numpy()
    right = stats.chisquare(counts, np.array(list(shares.values())) * counts.sum()).pvalue
    assert found.srm.p_value == pytest.approx(right, rel=SAME, abs=0)
    if shape.arms == 2:
        judge = tt.SampleRatio(shares, method="norm", correction=False)
        judged = tt.Experiment({"split": judge}, variant="arm").analyze(table, control=0)
        assert found.srm.p_value == pytest.approx(judged["split"].pvalue, rel=SAME, abs=0)


@RUNS
@given(SHAPES)
def test_welch_is_scipys(shape: Shape) -> None:
    table = shape.table()
    arms = {str(arm): table.filter(pl.col("arm") == arm)["y"].to_numpy() for arm in range(shape.arms)}
    for result in compared(table, means=["y"]).results:
        if result.method.endswith("bootstrap"):
            continue
        judge = stats.ttest_ind(arms[result.treatment_arm], arms["0"], equal_var=False)
        bounds = judge.confidence_interval(0.95)
        assert result.p_value == pytest.approx(judge.pvalue, rel=SAME, abs=0)
        half = (bounds.high - bounds.low) / 2
        assert (result.effect_low, result.effect_high) == pytest.approx((bounds.low, bounds.high), abs=SAME * half)


def score_of(mine: np.ndarray, control: np.ndarray) -> float:
    """The p-value of equal proportions: the pooled z with n − 1, and the normal whose skewed twin it is."""
    n, (n_c, n_t) = len(mine) + len(control), (len(control), len(mine))
    p = (mine.sum() + control.sum()) / n
    error = np.sqrt(p * (1 - p) * (1 / n_c + 1 / n_t) * n / (n - 1))
    z = (mine.mean() - control.mean()) / error
    g = p * (1 - p) * (1 - 2 * p) * (1 / n_t**2 - 1 / n_c**2) / error**3 / 6
    if abs(g) < 1e-12:
        return float(2 * stats.norm.sf(abs(z)))
    roots = np.roots([g, 1, -g - z])
    return float(2 * stats.norm.sf(abs(roots[np.argmin(abs(roots))].real)))


@RUNS
@given(SHAPES)
def test_proportions_are_the_score_test_or_welchs(shape: Shape) -> None:
    table = shape.table()
    arms = {str(arm): table.filter(pl.col("arm") == arm)["won"].to_numpy() for arm in range(shape.arms)}
    for result in compared(table, proportions=["won"]).results:
        mine, control = arms[result.treatment_arm], arms["0"]
        counts = [[int(one.sum()), int(len(one) - one.sum())] for one in (mine, control)]
        if min(map(min, counts)) < SMALL_COUNT:
            assert result.method == "score"
            if 0 < mine.sum() + control.sum() < len(mine) + len(control) and result.p_value > 1e-4:
                assert result.p_value == pytest.approx(score_of(mine, control), rel=1e-6, abs=0)
        else:
            right = stats.ttest_ind(mine, control, equal_var=False).pvalue
            assert result.method == "welch"
            assert result.p_value == pytest.approx(right, rel=SAME, abs=0)


@RUNS
@given(SHAPES, st.sampled_from([0.1, 0.5, 0.9, 0.99]))
def test_quantiles_are_scipys_and_numpys(shape: Shape, q: float) -> None:
    table = shape.table()
    found = compared(table, quantiles=[("y", q)])
    for result in found.results:
        for arm, value in ((result.control_arm, result.control), (result.treatment_arm, result.treatment)):
            values = table.filter(pl.col("arm") == int(arm))["y"].to_numpy()
            assert value == pytest.approx(np.quantile(values, q), rel=SAME, abs=0)
            assert value == pytest.approx(stats.mstats.mquantiles(values, [q], 1, 1)[0], rel=SAME, abs=0)


@RUNS
@given(st.integers(0, 2**31), st.integers(40, 3_000), st.floats(0.05, 0.95))
def test_tea_tastings_proportion_is_the_same_test_where_arms_are_alike_in_size(
    seed: int, half: int, rate: float
) -> None:
    """With equal arms the score test has no skewness to correct: it is the pooled z, but for a factor (n − 1)/n."""
    random = np.random.default_rng(seed)
    won = (random.random(2 * half) < np.repeat([rate, min(0.97, rate + 0.05)], half)).astype(int)
    table = pl.DataFrame({"arm": np.repeat([0, 1], half), "won": won})
    (result,) = compared(table, proportions=["won"]).results
    pooled = {"method": "norm", "equal_var": True, "correction": False}
    judge = tt.Experiment({"won": tt.Proportion("won", **pooled), "mean": tt.Mean("won")}, variant="arm")
    judged = judge.analyze(table, control=0)
    seen, mean = judged["won"], judged["mean"]
    assert (result.control, result.treatment) == pytest.approx((seen.control, seen.treatment), rel=SAME, abs=0)
    assert result.effect == pytest.approx(seen.effect_size, rel=SAME, abs=1e-12)
    if result.control:
        assert result.relative == pytest.approx(seen.rel_effect_size, rel=SAME, abs=1e-12)
    if result.method == "welch":
        assert result.p_value == pytest.approx(mean.pvalue, rel=SAME, abs=0)
        bounds = (mean.effect_size_ci_lower, mean.effect_size_ci_upper)
        assert (result.effect_low, result.effect_high) == pytest.approx(
            bounds, rel=SAME, abs=SAME * result.standard_error
        )
    elif 1e-10 < seen.pvalue < 1 - 1e-6:
        z = stats.norm.isf(seen.pvalue / 2) * np.sqrt((2 * half - 1) / (2 * half))
        assert result.p_value == pytest.approx(2 * stats.norm.sf(z), rel=1e-6, abs=0)
