"""Single units that decide, arms too few and skewed for Student's t, and quantiles among equal values."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

import tasuki
from tasuki.errors import Invalid


def skewed(control: int = 400, treatment: int = 40, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    n = control + treatment
    views = rng.poisson(5, n) + 1
    return pl.DataFrame(
        {
            "arm": ["control"] * control + ["treatment"] * treatment,
            "user": np.arange(n),
            "spend": rng.gamma(0.3, 20.0, n),
            "before": rng.gamma(2.0, 3.0, n),
            "views": views,
            "clicks": rng.binomial(views, 0.3),
        }
    )


def codes(found: object) -> list[str]:
    return [one.code for one in found.concerns]


def compared(data: pl.DataFrame, **more: object) -> object:
    split = {"control": 10 / 11, "treatment": 1 / 11}
    return tasuki.compare(data, variant="arm", control="control", means=["spend"], split=split, **more)


def test_few_units_in_unequal_skewed_arms_are_bootstrapped_and_said() -> None:
    found = compared(skewed())
    one = found.results[0]
    assert one.method == "bootstrap"
    assert "bootstrapped" in codes(found)
    assert one.effect_high - one.effect > one.effect - one.effect_low
    assert compared(skewed()).results == found.results


def test_a_difference_that_hangs_on_few_large_values_is_said_to_be_too_skewed() -> None:
    found = compared(skewed())
    said = [one for one in found.concerns if one.code == "too_skewed"]
    control, treatment = np.split(skewed()["spend"].to_numpy(), [400])
    third, second = ([stats.moment(one, k) / len(one) ** (k - 1) for one in (control, treatment)] for k in (3, 2))
    assert [one.severity for one in said] == ["warning"]
    assert said[0].values["skewness"] == pytest.approx((third[1] - third[0]) / sum(second) ** 1.5)
    # Arms of one size and shape cancel their skewness, and many units even it out.
    assert "too_skewed" not in codes(tasuki.compare(skewed(900, 900), variant="arm", means=["spend"]))
    assert "too_skewed" in codes(compared(skewed(4_000, 400)))
    assert "too_skewed" not in codes(compared(skewed(40_000, 4_000)))


@pytest.mark.parametrize("won", [0, 3, 4, 5])
def test_fewer_than_five_successes_or_failures_are_said(won: int) -> None:
    rare = [1] * won + [0] * (300 - won) + [1] * 20 + [0] * 280
    data = pl.DataFrame({"arm": ["a"] * 300 + ["b"] * 300, "rare": rare, "usual": [1 - one for one in rare]})
    found = tasuki.compare(data, variant="arm", control="a", proportions=["rare", "usual"])
    said = [one for one in found.concerns if one.code == "few_events"]
    told = [(one.values["metric"], one.values["count"], one.values["case"]) for one in said]
    assert told == ([("rare", won, "yes"), ("usual", won, "no")] if won < 5 else [])
    # It is a doubt about a number, not a number that is missing.
    assert all(one.effect_low is not None and one.p_value is not None for one in found.results)


def test_segments_with_fewer_than_five_successes_are_named_once() -> None:
    place = ["north"] * 400 + ["south"] * 400
    won = ([1] * 50 + [0] * 150) * 2 + ([1] * 50 + [0] * 150) + ([1] * 4 + [0] * 196)
    data = pl.DataFrame({"arm": (["a"] * 200 + ["b"] * 200) * 2, "place": place, "won": won})
    found = tasuki.compare(data, variant="arm", control="a", proportions=["won"], segments=["place"])
    said = [one for one in found.concerns if one.code == "few_events"]
    assert [(one.values["named"], one.severity) for one in said] == [("place=south", "info")]


def test_more_units_are_left_to_students_t() -> None:
    assert compared(skewed(4_000, 400)).results[0].method == "welch"


@pytest.mark.parametrize(
    ("asked", "method"),
    [
        ({"means": ["spend"]}, "bootstrap"),
        ({"means": ["spend"], "covariates": {"spend": ["before"]}}, "cuped+bootstrap"),
        ({"ratios": [("clicks", "views")]}, "bootstrap"),
        ({"means": ["spend"], "unit": "user"}, "bootstrap"),
        ({"proportions": ["views > 5"]}, "welch"),
    ],
)
def test_on_request_means_and_ratios_are_bootstrapped(asked: dict, method: str) -> None:
    data = skewed(1_500, 1_500)
    found = tasuki.compare(data, variant="arm", method="bootstrap", margins={}, **asked).results[0]
    plain = tasuki.compare(data, variant="arm", **asked).results[0]
    assert found.method == method
    width = plain.effect_high - plain.effect_low
    assert (found.effect_low, found.effect_high) == pytest.approx(
        (plain.effect_low, plain.effect_high), abs=0.06 * width
    )


@pytest.mark.parametrize("more", [{"sequential": True}, {"stratum": "views"}, {"looks": [1], "planned_units": 440}])
def test_the_bootstrap_goes_with_no_rule_for_looks_and_no_strata(more: dict) -> None:
    with pytest.raises(Invalid, match="cannot be made"):
        compared(skewed(), method="bootstrap", **more)


def test_a_handful_of_units_is_not_drawn_from() -> None:
    data = pl.DataFrame({"arm": ["a", "a", "b", "b"], "x": [1.0, 1.5, 2.0, 3.0]})
    found = tasuki.compare(data, variant="arm", means=["x"], method="bootstrap")
    assert found.results[0].method == "welch"
    assert found.results[0].p_value > 0.05


def test_too_many_units_are_not_drawn_from() -> None:
    data = pl.DataFrame({"arm": ["a", "b"] * 50_001, "x": np.arange(100_002) % 7})
    with pytest.raises(Invalid, match="too many"):
        tasuki.compare(data, variant="arm", means=["x"], method="bootstrap")


def test_one_unit_that_makes_an_effect_is_named() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(10, 1, 4_000)
    arm = np.array(["control", "treatment"] * 2_000)
    values += 0.2 * (arm == "treatment")

    def found() -> object:
        data = pl.DataFrame({"arm": arm, "x": values})
        return tasuki.compare(data, variant="arm", control="control", means=["x"])

    assert codes(found()) == []
    values[0] = 2_000.0  # a bot in control hides the gain
    said = [one for one in found().concerns if one.code == "outlier_carries_effect"]
    assert len(said) == 1
    assert said[0].values["arm"] == "control"
    assert said[0].values["value"] == 2_000.0
    assert said[0].values["p"][1] < 0.05 < said[0].values["p"][0]


def test_a_quantile_among_equal_values_has_no_interval_and_says_so() -> None:
    data = pl.DataFrame({"arm": ["a", "b"] * 1_000, "x": np.arange(2_000) // 2 % 3 // 2})
    found = tasuki.compare(data, variant="arm", quantiles=[("x", 0.5)])
    assert "quantile_tied" in codes(found)
    assert (found.results[0].effect_low, found.results[0].effect_high, found.results[0].p_value) == (None, None, None)


def test_one_unit_that_makes_an_effect_without_making_it_significant_is_named() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(1, 1, 1_000)
    values[1] = 100_000.0
    found = tasuki.compare(pl.DataFrame({"arm": ["a", "b"] * 500, "x": values}), variant="arm", means=["x"])
    assert found.results[0].p_value > 0.05
    said = [one for one in found.concerns if one.code == "outlier_carries_effect"]
    assert [one.values["value"] for one in said] == [100_000.0]


def test_units_without_any_spread_have_no_interval_rather_than_one_of_width_0() -> None:
    data = pl.DataFrame({"arm": ["a", "b"] * 600, "none": [0] * 1_200, "same": [7] * 1_200, "one": [1] * 1_200})
    asked = {"means": ["none", "same"], "ratios": [("same", "one")]}
    found = tasuki.compare(data, variant="arm", control="a", margins={}, **asked)
    bounds = {(one.effect_low, one.effect_high, one.relative_low, one.relative_high) for one in found.results}
    assert bounds == {(None, None, None, None)}
    assert [one.effect for one in found.results] == [None, 0, 0]
    assert found.recommendation.decision == "cannot_tell"
    alone = tasuki.compare(data, variant="arm", control="a", means=["same"])
    assert alone.recommendation.decision == "cannot_tell"


def test_nothing_to_count_within_segments_is_no_data_rather_than_no_effect() -> None:
    rng = np.random.default_rng(8)
    kind = np.array(["buy", "view", "read", "skip"] * 1_000)
    data = pl.DataFrame(
        {
            "arm": np.repeat(["a", "b"], 2_000),
            "kind": kind,
            "amount": np.where(kind == "buy", rng.gamma(2, 5, 4_000), 0),
            "bought": (kind == "buy").astype(int),
            "rare": (rng.random(4_000) < 0.001).astype(int),
        }
    )
    asked = {"means": ["amount"], "proportions": ["bought", "rare"]}
    found = tasuki.compare(data, variant="arm", control="a", segments=["kind"], **asked)
    said = {one.values["metric"]: one for one in found.concerns if one.code == "no_data_in_segments"}
    assert set(said) == {"amount", "bought"}
    assert (said["amount"].values["count"], said["amount"].values["segments"]) == (3, 4)
    effects = {one.segment: one.effect for one in found.results if one.metric == "amount" and one.segment}
    assert [name for name, effect in effects.items() if effect is not None] == ["kind=buy"]


def test_a_segment_that_changes_within_a_unit_is_told() -> None:
    rng = np.random.default_rng(4)
    events = pl.DataFrame({"u": np.arange(4_000) // 4, "x": rng.gamma(2, 1, 4_000)}).with_columns(
        pl.Series("arm", np.arange(4_000) // 4 % 2).replace_strict({0: "a", 1: "b"}),
        pl.Series("dev", np.where(np.arange(4_000) % 40 == 0, "app", "web")),
        (pl.col("u") % 3).alias("kept"),
    )
    asked = {"variant": "arm", "control": "a", "unit": "u", "means": ["x"]}
    found = tasuki.compare(events, segments=["dev", "kept"], **asked)
    said = [one for one in found.concerns if one.code == "segment_varies"]
    assert [(one.values["column"], one.values["varying"], one.severity) for one in said] == [("dev", 100, "warning")]
    strata = tasuki.compare(events, stratum="dev", **asked)
    assert [one.severity for one in strata.concerns if one.code == "segment_varies"] == ["error"]
