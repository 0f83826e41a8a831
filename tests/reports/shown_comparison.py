"""Comparisons with everything a report can show, made without an engine."""

from datetime import UTC, date, datetime, timedelta

from tasuki.experiments.comparison import (
    Arm,
    Comparison,
    Heterogeneity,
    Recommendation,
    Result,
    SplitTest,
)
from tasuki.experiments.daily import DayEffect
from tasuki.metrics.bins import ArmBins, Histogram
from tasuki.reports.origin import Origin
from tasuki.stats.concern import Concern

EVIL = "<script>alert(1)</script>"
ORIGIN = Origin(
    made_at=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    version="0.1.0",
    source="results.csv",
    content_hash="ab" * 32,
    engine="DuckDB",
    variant="arm",
    adjust="holm",
)


def result(metric: str, share: float, half: float, segment: str | None = None, **more: object) -> Result:
    """A result of a metric whose control is 10."""
    p = 0.001 if abs(share) > half else 0.4
    values: dict[str, object] = {
        "metric": metric,
        "kind": "mean",
        "segment": segment,
        "control_arm": "control",
        "treatment_arm": EVIL,
        "control": 10.0,
        "treatment": 10 * (1 + share),
        "effect": 10 * share,
        "effect_low": 10 * (share - half),
        "effect_high": 10 * (share + half),
        "relative": share,
        "relative_low": share - half,
        "relative_high": share + half,
        "p_value": p,
        "p_value_adjusted": min(1.0, 2 * p),
        "n_control": 5000,
        "n_treatment": 5010,
        "method": "sequential+cuped+welch",
        "variance_reduction": 0.31,
        **more,
    }
    return Result(**values)  # type: ignore[arg-type]


def shown(*concerns: Concern) -> Comparison:
    """A comparison with a name in it that would run if it were taken for markup."""
    days = [date(2026, 11, 1) + timedelta(days=k) for k in range(21)]
    return Comparison(
        arms=(Arm("control", 5000), Arm(EVIL, 5010)),
        srm=SplitTest(0.92, {"control": 0.5, EVIL: 0.5}, True),
        results=(
            result("購入率", 0.03, 0.02, kind="proportion", control=0.1, treatment=0.103),
            result("応答時間", 0.01, 0.005, direction="decrease", margin=0.3, p_value_margin=0.001),
            result(EVIL, -0.02, 0.05),
            result("balance", 0.0, 0.1, relative=None, relative_low=None, relative_high=None),
            result(
                "empty", 0.0, 0.0, effect=None, effect_low=None, effect_high=None, relative_low=None, relative_high=None
            ),
            *(result("購入率", 0.01 * k, 0.04, f"国=地域{k}") for k in range(1, 5)),
            result("購入率", -0.2, 0.9, f"国={EVIL}"),
        ),
        concerns=concerns,
        recommendation=Recommendation("ship", ("the gain is significant.",), 0.15),
        daily=tuple(
            DayEffect(
                one.isoformat(),
                "購入率",
                EVIL,
                0.3,
                0.3 - 3 / (k + 1),
                0.3 + 3 / (k + 1),
                0.03,
                0.03 - 0.3 / (k + 1),
                0.03 + 0.3 / (k + 1),
                240 * k,
                240 * k,
            )
            for k, one in enumerate(days)
        ),
        heterogeneity=(Heterogeneity("購入率", "国", EVIL, 5, 0, 3.0, 4, 0.5, 0.5, 0.0),),
        distributions=(
            Histogram(
                "購入額",
                tuple(10 ** (k / 4) for k in range(9)),
                True,
                (
                    ArmBins("control", (5, 40, 90, 160, 200, 150, 60, 12), 4000, 0, 7),
                    ArmBins(EVIL, (4, 38, 80, 150, 220, 160, 70, 15), 3900, 1, 9),
                ),
            ),
        ),
    )
