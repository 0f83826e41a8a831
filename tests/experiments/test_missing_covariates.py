"""Covariates that some units lack: the adjustment does not depend on where they are counted from, and says so."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

import tasuki


def lacking(
    shift: float = 0.0, share: float = 0.3, of_treatment: float | None = None, hole: float | None = None
) -> pl.DataFrame:
    rng = np.random.default_rng(11)
    n = 4_000
    arm = np.array(["c", "t"] * (n // 2))
    x = rng.normal(100, 20, n)
    y = x + rng.normal(0, 5, n) + 1.0 * (arm == "t")
    gone = rng.random(n) < np.where(arm == "t", share if of_treatment is None else of_treatment, share)
    before = [hole if one else value for one, value in zip(gone, x + shift, strict=True)]
    start = datetime(2026, 1, 1)
    at = [start + timedelta(days=k % 9) for k in range(n)]
    return pl.DataFrame({"arm": arm, "u": np.arange(n), "g": np.arange(n) // 8 * 2 + (arm == "t"), "y": y, "x": before,
                         "at": at})  # fmt: skip


def compared(data: object, **more: object) -> object:
    return tasuki.compare(data, variant="arm", control="c", means=["y"], covariates={"y": ["x"]}, **more)


def said(found: object) -> dict[str, object]:
    return {one.code: one for one in found.concerns}


@pytest.mark.parametrize("more", [{}, {"unit": "u"}, {"unit": "u", "cluster": "g"}, {"segments": ["g2"]}])
def test_where_the_covariate_is_counted_from_changes_nothing(more: dict) -> None:
    frames = [lacking(shift).with_columns((pl.col("u") // 2 % 2).alias("g2")) for shift in (0.0, 100.0, -1e4)]
    first, *others = [compared(one, **more) for one in frames]
    for other in others:
        for one, same in zip(first.results, other.results, strict=True):
            assert (same.effect, same.effect_low) == pytest.approx((one.effect, one.effect_low), rel=1e-7)
    assert first.results[0].variance_reduction > 0.5


def test_the_path_of_days_is_the_same_wherever_the_covariate_is_counted_from() -> None:
    first, other = (compared(lacking(shift), unit="u", time="at") for shift in (0.0, 100.0))
    assert len(first.daily) == 9
    for one, same in zip(first.daily, other.daily, strict=True):
        assert same.effect == pytest.approx(one.effect, rel=1e-7)


@pytest.mark.parametrize("hole", [None, float("nan"), float("inf")])
def test_a_missing_covariate_is_told_with_its_share_and_apart_from_the_metric(hole: float | None) -> None:
    found = said(compared(lacking(hole=hole)))
    assert "not_finite" not in found
    concern = found["covariate_missing"]
    assert concern.severity == "warning"
    assert concern.values["share"] == pytest.approx(0.3, abs=0.03)
    assert f"{concern.values['missing']:,} of 4,000" in concern.message


def test_a_covariate_that_one_arm_lacks_more_often_stops_the_decision() -> None:
    found = compared(lacking(of_treatment=0.4))
    assert said(found)["covariate_missing"].severity == "error"
    assert found.recommendation.decision == "cannot_tell"
    # Nearly all lack it: what is rare is who has it.
    assert said(compared(lacking(share=0.999, of_treatment=0.98)))["covariate_missing"].severity == "error"


def test_a_covariate_that_nobody_lacks_gives_no_concern_and_one_that_everybody_lacks_adjusts_nothing() -> None:
    assert "covariate_missing" not in said(compared(lacking(share=0.0, hole=None)))
    nobody = compared(lacking(share=1.0).with_columns(pl.col("x").cast(pl.Float64)))
    assert nobody.results[0].variance_reduction == pytest.approx(0, abs=1e-12)


def test_parts_that_fit_in_the_memory_say_what_the_whole_says(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasuki.actions import passes

    data = lacking()
    whole = compared(data, unit="u").results[0]
    monkeypatch.setattr(passes, "_passes", lambda *_: 3)
    parts = compared(data, unit="u", memory_limit_mb=1_000).results[0]
    assert (parts.effect, parts.effect_low) == pytest.approx((whole.effect, whole.effect_low), rel=1e-9)


def test_the_denominator_of_a_covariate_is_missed_as_well() -> None:
    data = lacking(share=0.0).with_columns(
        seen=pl.when(pl.col("u") % 10 < 2).then(None).otherwise(pl.lit(5.0)), views=pl.lit(4)
    )
    found = tasuki.compare(data, variant="arm", ratios=[("y", "views")], covariates={"y/views": [("x", "seen")]})
    (one,) = [one for one in found.concerns if one.code == "covariate_missing"]
    assert (one.values["covariate"], one.values["missing"]) == ("seen", 800)


def test_clusters_are_called_clusters() -> None:
    data = lacking().with_columns(
        g=pl.when(pl.col("u") < 400).then(0).otherwise(pl.col("u") // 8 * 2 + 1 + (pl.col("arm") == "t"))
    )
    found = said(compared(data, unit="u", cluster="g"))
    assert found["units_in_several_arms"].message.startswith("1 cluster(s) were seen in more than one arm")
    assert found["units_in_several_arms"].values["case"] == "clusters"
    few = tasuki.compare(data.filter(pl.col("u") > 3_900), variant="arm", unit="u", cluster="g", means=["y"])
    assert "cluster(s): intervals rest" in said(few)["too_few_units"].message
