"""Ratios of which few units have a denominator, numbers that are lost, and values that floats cannot tell apart."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import tasuki
from tasuki.experiments.comparison import Comparison
from tasuki.reports.concerns import concern_text
from tasuki.stats.contrast import Estimate
from tasuki.stats.effective import carried_by, effective_units
from tasuki.stats.moments import moments_of


def shop(buyers: int, n: int = 600, lift: float = 0.0, seed: int = 1) -> pl.DataFrame:
    """Two arms of n units, of which so many bought once."""
    rng = np.random.default_rng(seed)
    bought = np.tile(np.arange(n) < buyers, 2).astype(int)
    arm = np.repeat(["control", "treatment"], n)
    spent = bought * (rng.normal(50, 10, 2 * n) + lift * (arm == "treatment"))
    return pl.DataFrame({"arm": arm, "spent": spent, "orders": bought})


def compared(data: pl.DataFrame, **more: object) -> Comparison:
    return tasuki.compare(data, variant="arm", control="control", ratios=[("spent", "orders")], **more)


def said(found: Comparison, code: str) -> list[str]:
    return [one.severity for one in found.concerns if one.code == code]


@pytest.mark.parametrize("buyers", [5, 12, 40, 90])
def test_a_ratio_of_few_buyers_is_judged_as_the_buyers_alone_would_be(buyers: int) -> None:
    data = shop(buyers, lift=3.0)
    one = compared(data).results[0]
    arms = [data.filter(arm=name, orders=1)["spent"].to_numpy() for name in ("control", "treatment")]
    judge = stats.ttest_ind(arms[1], arms[0], equal_var=False)
    assert one.p_value == pytest.approx(judge.pvalue, rel=1e-9)
    interval = judge.confidence_interval()
    assert (one.effect_low, one.effect_high) == pytest.approx((interval.low, interval.high), rel=1e-9)


@pytest.mark.parametrize(("buyers", "severity"), [(5, ["error"] * 2), (29, ["warning"] * 2), (30, [])])
def test_few_buyers_are_said_and_too_few_decide_nothing(buyers: int, severity: list[str]) -> None:
    found = compared(shop(buyers, lift=60.0))
    assert said(found, "few_denominators") == severity
    assert found.recommendation.decision == ("cannot_tell" if buyers < 10 else "ship")
    texts = [concern_text(one, "ja") for one in found.concerns if one.code == "few_denominators"]
    assert all(f"{buyers} 単位" in text for text in texts)


def test_false_alarms_of_few_buyers_are_as_many_as_they_may_be() -> None:
    alarms = sum((compared(shop(12, 200, seed=seed)).results[0].p_value or 1.0) < 0.05 for seed in range(150))
    assert stats.binomtest(alarms, 150, 0.05).pvalue > 0.001


def test_one_buyer_an_arm_gives_no_interval() -> None:
    found = compared(shop(1))
    assert found.results[0].p_value is None
    assert found.recommendation.decision == "cannot_tell"
    json.loads(found.to_json())


def test_units_that_all_have_a_denominator_are_judged_by_the_delta_method_as_before() -> None:
    data = shop(60, 60).with_columns(orders=pl.Series(np.arange(120) % 3 + 1))
    found = compared(data)
    assert not said(found, "few_denominators")
    variance, values = [], []
    for name in ("control", "treatment"):
        x, y = (data.filter(arm=name)[column].to_numpy() for column in ("spent", "orders"))
        values.append(x.sum() / y.sum())
        variance.append(((x - values[-1] * y) / y.mean()).var(ddof=1) / 60)
    degrees = sum(variance) ** 2 / sum(one**2 / 59 for one in variance)
    p = 2 * stats.t.sf(abs(values[1] - values[0]) / sum(variance) ** 0.5, degrees)
    assert found.results[0].p_value == pytest.approx(p, rel=1e-9)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=60).filter(any))
@settings(deadline=None)
def test_effective_units_are_what_their_definition_says(denominators: list[int]) -> None:
    moments = moments_of([(1.0, float(one)) for one in denominators])
    expected = sum(denominators) ** 2 / sum(one**2 for one in denominators)
    assert effective_units(moments, 1) == pytest.approx(expected, rel=1e-9)
    assert 1 - 1e-9 <= expected <= sum(one > 0 for one in denominators) + 1e-9
    carried = carried_by(Estimate(1.0, 1.0, len(denominators)), expected)
    assert not carried.variance < 1.0 - 1e-9 or expected > len(denominators) / 2


# ------------------------------------------------------------------------------------------------------ numbers lost


def events(lost: dict[str, int]) -> pl.DataFrame:
    """Two events a unit; the second of the first units of an arm is NaN."""
    rng, rows = np.random.default_rng(1), []
    for arm in ("control", "treatment"):
        for i in range(600):
            rows += [(arm, f"{arm}{i}", v) for v in (rng.normal(5, 1), np.nan if i < lost[arm] else rng.normal(5, 1))]
    return pl.DataFrame(rows, schema=["arm", "user", "x"], orient="row")


@pytest.mark.parametrize(
    ("lost", "severity"), [({"control": 0, "treatment": 300}, "error"), ({"control": 30, "treatment": 31}, "warning")]
)
def test_events_lost_in_one_arm_decide_nothing(lost: dict[str, int], severity: str) -> None:
    found = tasuki.compare(events(lost), variant="arm", control="control", unit="user", means=["x"])
    assert said(found, "not_finite") == [severity]
    assert (found.recommendation.decision == "cannot_tell") or severity == "warning"
    text = next(concern_text(one, "ja") for one in found.concerns if one.code == "not_finite")
    assert ("群によって" in text) == (severity == "error")


# ----------------------------------------------------------------------------------------- values no float tells apart


@pytest.mark.parametrize(
    ("values", "case"),
    [
        (9 * 10**18 + np.arange(4_200) % 8, "large"),
        (np.full(4_200, 7.5), None),
    ],
)
@pytest.mark.parametrize("n", [200, 4_200])
def test_why_there_is_no_variance(values: np.ndarray, case: str | None, n: int) -> None:
    data = pl.DataFrame({"arm": ["control", "treatment"] * (n // 2), "x": values[:n]})
    found = tasuki.compare(data, variant="arm", control="control", means=["x"])
    one = next(one for one in found.concerns if one.code == "no_variance")
    assert one.values.get("case") == case
    assert ("is the same for every unit" in one.message) == (case is None)
    assert found.results[0].p_value is None


def test_one_cluster_an_arm_is_said_to_be_one_cluster() -> None:
    data = pl.DataFrame({"arm": ["control", "treatment"] * 300, "x": np.random.default_rng(1).normal(5, 1, 600)})
    found = tasuki.compare(
        data.with_columns(town=pl.col("arm"), user=pl.int_range(600)),
        variant="arm", control="control", unit="user", cluster="town", means=["x"],
    )  # fmt: skip
    one = next(one for one in found.concerns if one.code == "no_variance")
    assert one.values["case"] == "single"
    assert "cluster" in one.message


# --------------------------------------------------------------------------------------------- shares that are withheld


def test_reasons_tell_the_difference_where_its_share_is_withheld(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(0.0, 1.0, 2_000) + np.repeat([0.01, 0.5], 1_000)
    data = pl.DataFrame({"arm": np.repeat(["control", "treatment"], 1_000), "profit": x})
    found = tasuki.compare(data, variant="arm", control="control", means=["profit"])
    one = found.results[0]
    assert one.relative is not None
    assert one.relative_low is None
    reason = next(text for text in found.recommendation.reasons if "profit" in text)
    assert f"profit {one.effect:+.4g} is a significant gain" in reason
    assert "%" not in reason
    data.write_csv(tmp_path / "profit.csv")
    asked = ["compare", "profit.csv", "--variant", "arm", "--control", "control", "--mean", "profit"]
    shown = subprocess.run(
        [sys.executable, "-m", "tasuki.cli", *asked], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "values without %: treatment − control" in " ".join(shown.split())
