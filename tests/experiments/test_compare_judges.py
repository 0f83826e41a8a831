"""Where tea-tasting has the same method, the numbers are the same to nine digits."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import tea_tasting as tt

import tasuki

N = 4_000


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    arm = rng.integers(0, 3, N)
    before = rng.gamma(2.0, 5.0, N)
    views_before = rng.poisson(6, N) + 1
    views = rng.poisson(8 + 0.3 * (views_before - 7).clip(0), N) + 1
    return pl.DataFrame(
        {
            "arm": arm,
            "before": before,
            "views_before": views_before,
            "clicks_before": rng.binomial(views_before, 0.2),
            "revenue": before * 0.5 + rng.gamma(1.0, 4.0, N) + 0.2 * arm,
            "views": views,
            "clicks": rng.binomial(views, 0.2 + 0.01 * arm),
            "bought": rng.random(N) < 0.1 + 0.02 * arm,
        }
    )


class WithinArms(tt.RatioOfMeans):
    """tea-tasting, with the coefficient of a covariate from within the arms in place of all units as one sample."""

    def analyze_aggregates(self, control: Any, treatment: Any) -> Any:
        arms = (control, treatment)
        spread, along = (
            sum((one.count() - 1) * of(one) for one in arms)
            for of in (lambda one: one.ratio_var(self.numer_covariate, self.denom_covariate), self._covariate_cov)
        )
        self._covariate_coef = lambda _: along / spread
        return super().analyze_aggregates(control, treatment)


JUDGES = {
    "revenue": tt.Mean("revenue"),
    "adjusted": WithinArms("revenue", numer_covariate="before"),
    "clicks/views": tt.RatioOfMeans("clicks", "views"),
    "adjusted ratio": WithinArms("clicks", "views", "clicks_before", "views_before"),
    "bought": tt.Mean("bought_number"),
}
ASKED = {
    "revenue": {"means": ["revenue"]},
    "adjusted": {"means": ["revenue"], "covariates": {"revenue": ["before"]}},
    "clicks/views": {"ratios": [("clicks", "views")]},
    "adjusted ratio": {
        "ratios": [("clicks", "views")],
        "covariates": {"clicks/views": [("clicks_before", "views_before")]},
    },
    "bought": {"proportions": ["bought"]},
}


@pytest.mark.parametrize("name", JUDGES)
def test_tea_tasting_agrees(frame: pl.DataFrame, name: str) -> None:
    found = tasuki.compare(frame, variant="arm", control="0", **ASKED[name])
    experiment = tt.Experiment({name: JUDGES[name]}, variant="arm")
    judged = experiment.analyze(
        frame.with_columns(pl.col("bought").cast(int).alias("bought_number")), control=0, all_variants=True
    )
    for result in found.results:
        judge = judged[0, int(result.treatment_arm)][name]
        assert result.control == pytest.approx(judge.control, rel=1e-9)
        assert result.treatment == pytest.approx(judge.treatment, rel=1e-9)
        assert result.effect == pytest.approx(judge.effect_size, rel=1e-9)
        bounds = (judge.effect_size_ci_lower, judge.effect_size_ci_upper)
        assert (result.effect_low, result.effect_high) == pytest.approx(bounds, rel=1e-9)
        assert result.p_value == pytest.approx(judge.pvalue, rel=1e-9)


def test_holm_over_metrics_and_arms_is_tea_tastings(frame: pl.DataFrame) -> None:
    found = tasuki.compare(frame, variant="arm", control="0", means=["revenue"], ratios=[("clicks", "views")])
    metrics = {"revenue": tt.Mean("revenue"), "clicks/views": tt.RatioOfMeans("clicks", "views")}
    judged = tt.adjust_fwer(
        tt.Experiment(metrics, variant="arm").analyze(frame, control=0, all_variants=True),
        method="bonferroni",
        arbitrary_dependence=True,
    )
    for result in found.results:
        judge = judged[0, int(result.treatment_arm)][result.metric]
        assert result.p_value_adjusted == pytest.approx(judge["pvalue_adj"], rel=1e-9)


def test_a_covariate_takes_variance_out(frame: pl.DataFrame) -> None:
    found = tasuki.compare(
        frame, variant="arm", control="0", means=["revenue"], covariates={"revenue": ["before", "views_before"]}
    )
    for result in found.results:
        assert result.method == "cuped+welch"
        assert result.variance_reduction > 0.4
