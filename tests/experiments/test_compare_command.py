"""`tasuki compare` on real and on bad files: the known figures, or a clear error or concern; never a wrong number."""

import json
from math import erfc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tasuki
from tasuki.cli.main import main
from tasuki.errors import Invalid

HILLSTROM = Path(__file__).parents[3] / "shared" / "data" / "hillstrom_email.csv.gz"
FIELDS = {
    "metric", "kind", "segment", "control_arm", "treatment_arm", "control", "treatment", "effect", "effect_low",
    "effect_high", "relative", "relative_low", "relative_high", "p_value", "p_value_adjusted", "n_control",
    "n_treatment", "method", "variance_reduction",
}  # fmt: skip


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["compare", *arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert next(iter(document)) == "schema"
    assert document["schema"] == "tasuki.compare/1"
    return document


@pytest.mark.skipif(not HILLSTROM.exists(), reason=f"the real e-mail experiment is not at {HILLSTROM}")
def test_the_real_email_experiment_has_its_known_figures(capsys: pytest.CaptureFixture[str]) -> None:
    document = told(
        capsys, str(HILLSTROM), "--variant", "segment", "--control", "No E-Mail",
        "--proportion", "visit", "--proportion", "conversion", "--mean", "spend",
    )  # fmt: skip
    found = {(one["metric"], one["treatment_arm"]): one for one in document["results"]}
    mens, womens = "Mens E-Mail", "Womens E-Mail"
    assert f"{100 * found['visit', mens]['treatment']:.2f}" == "18.28"
    assert f"{100 * found['visit', mens]['control']:.2f}" == "10.62"
    assert f"{100 * found['visit', womens]['treatment']:.2f}" == "15.14"
    assert f"{100 * found['conversion', mens]['treatment']:.3f}" == "1.253"
    assert f"{100 * found['conversion', mens]['control']:.3f}" == "0.573"
    assert f"{100 * found['conversion', womens]['treatment']:.3f}" == "0.884"
    assert f"{found['spend', mens]['treatment']:.4f}" == "1.4226"
    assert f"{found['spend', mens]['control']:.4f}" == "0.6528"
    assert f"{found['spend', womens]['treatment']:.4f}" == "1.0772"
    assert f"{document['srm']['p_value']:.3f}" == "0.904"
    assert document["srm"]["passed"]
    assert f"{found['spend', mens]['p_value']:.1e}" == "1.2e-07"
    assert document["arms"][0] == {"name": "No E-Mail", "units": 21306}
    assert document["concerns"] == []
    assert document["recommendation"]["decision"] == "ship"
    assert all(set(one) >= FIELDS for one in document["results"])


def frame(n: int = 2_000, seed: int = 1, lift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < 0.5
    return pl.DataFrame(
        {
            "user": [f"u{k}" for k in range(n)],
            "arm": np.where(treated, "treatment", "control"),
            "revenue": rng.exponential(10, n) * (1 + lift * treated),
            "before": rng.exponential(10, n),
            "bought": (rng.random(n) < 0.2).astype(int),
            "app": rng.choice(["news", "games"], n),
        }
    )


def codes(comparison: Any) -> dict[str, str]:
    return {one.code: one.severity for one in comparison.concerns}


def test_mean_over_deviation_of_a_billion_leaves_the_p_value_right() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=20_000)
    arm = np.where(np.arange(20_000) % 2 == 0, "control", "treatment")
    values += np.where(arm == "treatment", 0.06, 0.0)
    right = tasuki.compare(pl.DataFrame({"arm": arm, "x": values}), variant="arm", means=["x"]).results[0]
    for mean in (1e6, 1e8, 1e9):
        shifted = pl.DataFrame({"arm": arm, "x": values + mean})
        found = tasuki.compare(shifted, variant="arm", means=["x"]).results[0]
        assert found.p_value == pytest.approx(right.p_value, rel=0.02)


def test_a_lost_fifth_of_an_arm_is_a_mismatch_and_decides_nothing() -> None:
    data = frame(lift=1.0)
    kept = data.filter((pl.col("arm") == "control") | (pl.int_range(pl.len()) % 5 != 0))
    found = tasuki.compare(kept, variant="arm", means=["revenue"])
    assert not found.srm.passed
    assert codes(found)["sample_ratio_mismatch"] == "error"
    assert found.recommendation.decision == "cannot_tell"
    assert found.recommendation.false_win_risk is None


def test_planned_shares_are_what_the_split_is_held_against() -> None:
    data = pl.DataFrame({"arm": ["a"] * 900 + ["b"] * 100, "x": np.arange(1000.0) % 7})
    assert tasuki.compare(data, variant="arm", means=["x"], split={"a": 0.9, "b": 0.1}).srm.passed
    assert not tasuki.compare(data, variant="arm", means=["x"]).srm.passed


def test_a_planned_arm_without_units_fails_the_split() -> None:
    data = frame()
    shares = {"control": 0.4, "treatment": 0.4, "third": 0.2}
    found = tasuki.compare(data, variant="arm", means=["revenue"], split=shares)
    assert not found.srm.passed
    assert [(arm.name, arm.units) for arm in found.arms][1] == ("third", 0)
    assert codes(found)["no_data"] == "error"


def test_nulls_nan_and_infinity_are_left_out_and_said() -> None:
    data = frame().with_columns(
        pl.when(pl.int_range(pl.len()) % 10 == 0).then(None).when(pl.int_range(pl.len()) % 10 == 1).then(float("nan"))
        .when(pl.int_range(pl.len()) % 10 == 2).then(float("-inf")).otherwise(pl.col("revenue")).alias("revenue")
    )  # fmt: skip
    found = tasuki.compare(data, variant="arm", means=["revenue"])
    assert {"values_missing", "not_finite"} <= set(codes(found))
    kept = data.filter(pl.col("revenue").is_finite())
    means = dict(kept.group_by("arm").agg(pl.col("revenue").mean()).iter_rows())
    assert found.results[0].control == pytest.approx(means["control"], rel=1e-12)
    assert found.results[0].n_control + found.results[0].n_treatment == len(kept)


def test_values_missing_in_one_arm_only_decide_nothing() -> None:
    lost = (pl.col("arm") == "treatment") & (pl.int_range(pl.len()) % 3 == 0)
    data = frame(lift=1.0).with_columns(pl.when(lost).then(None).otherwise(pl.col("revenue")).alias("revenue"))
    found = tasuki.compare(data, variant="arm", means=["revenue"])
    assert codes(found)["missing_differs"] == "error"
    assert found.recommendation.decision == "cannot_tell"


def test_units_without_an_arm_are_left_out_and_said() -> None:
    data = frame().with_columns(pl.when(pl.int_range(pl.len()) < 7).then(None).otherwise(pl.col("arm")).alias("arm"))
    found = tasuki.compare(data, variant="arm", means=["revenue"])
    assert "7 unit(s) have no arm" in next(one.message for one in found.concerns if one.code == "no_arm")
    assert sum(arm.units for arm in found.arms) == 1993


def test_units_in_several_arms_are_left_out_and_break_the_answer_when_many() -> None:
    strays = frame().head(200).with_columns(arm=pl.lit("control"))
    found = tasuki.compare(pl.concat([frame(), strays]), variant="arm", unit="user", means=["revenue"])
    assert codes(found)["units_in_several_arms"] == "error"
    assert found.recommendation.decision == "cannot_tell"
    few = tasuki.compare(pl.concat([frame(), strays.head(9)]), variant="arm", unit="user", means=["revenue"])
    assert codes(few)["units_in_several_arms"] == "warning"
    everyone = frame().with_columns(arm=pl.lit("control"))
    with pytest.raises(Invalid, match=r"[0-9,]+ unit\(s\) were seen in several arms"):
        tasuki.compare(pl.concat([frame(), everyone]), variant="arm", unit="user", means=["revenue"])


def test_no_data_is_not_no_effect() -> None:
    found = tasuki.compare(frame().with_columns(zero=pl.lit(0.0)), variant="arm", means=["zero"])
    assert codes(found)["no_events"] == "error"
    assert found.recommendation.decision == "cannot_tell"
    assert found.results[0].p_value is None
    json.loads(found.to_json())


def test_no_variance_gives_no_interval_and_says_so() -> None:
    constant = frame().with_columns(x=pl.when(pl.col("arm") == "control").then(1.0).otherwise(2.0))
    found = tasuki.compare(constant, variant="arm", means=["x"])
    assert codes(found)["no_variance"] == "warning"
    assert found.results[0].p_value is None
    assert found.recommendation.decision == "cannot_tell"


def test_few_units_are_said_and_small_proportions_are_scored() -> None:
    data = pl.DataFrame({"arm": ["control"] * 12 + ["treatment"] * 12, "won": [0] * 11 + [1] + [1] * 9 + [0] * 3})
    found = tasuki.compare(data, variant="arm", proportions=["won"])
    assert codes(found)["too_few_units"] == "warning"
    assert codes(found)["few_events"] == "warning"
    assert found.results[0].method == "score"
    # Of 1 and 9 in 12 each: the square root of the (n − 1) chi-squared of the table.
    z = (9 / 12 - 1 / 12) / (2 * (10 / 24) * (14 / 24) / 12 * 24 / 23) ** 0.5
    assert found.results[0].p_value == pytest.approx(erfc(z / 2**0.5))
    single = tasuki.compare(
        pl.DataFrame({"arm": ["control", "treatment"], "x": [1.0, 2.0]}), variant="arm", means=["x"]
    )
    assert single.results[0].p_value is None


def test_a_guardrail_holds_is_open_or_is_broken() -> None:
    data = frame(20_000, lift=0.02)
    wide = tasuki.compare(data, variant="arm", means=["revenue"], margins={"revenue": "20%"})
    assert wide.results[0].margin == pytest.approx(0.2 * wide.results[0].control)
    assert wide.results[0].p_value_margin < 1e-6
    bad = frame(20_000, lift=-0.2)
    broken = tasuki.compare(bad, variant="arm", means=["revenue"], margins={"revenue": 0.5})
    assert broken.recommendation.decision == "do_not_ship"
    better = tasuki.compare(bad, variant="arm", means=["revenue"], decrease=["revenue"])
    assert better.recommendation.decision == "ship"
    assert better.recommendation.false_win_risk == pytest.approx(0.15, abs=0.01)


def test_always_valid_intervals_are_wider() -> None:
    plain = tasuki.compare(frame(), variant="arm", means=["revenue"]).results[0]
    always = tasuki.compare(frame(), variant="arm", means=["revenue"], sequential=True).results[0]
    assert always.method == "sequential+welch"
    assert always.effect == plain.effect
    assert always.effect_low < plain.effect_low < plain.effect_high < always.effect_high


def test_segments_have_their_own_family_and_sum_to_all() -> None:
    found = tasuki.compare(frame(), variant="arm", means=["revenue"], segments=["app"])
    assert [one.segment for one in found.results] == [None, "app=games", "app=news"]
    assert sum(one.n_control for one in found.results[1:]) == found.results[0].n_control
    assert found.results[0].p_value_adjusted == found.results[0].p_value


def test_events_are_summed_to_units_first() -> None:
    data = frame(400)
    halves = data.with_columns(revenue=pl.col("revenue") / 2)
    whole = tasuki.compare(data, variant="arm", means=["revenue"], ratios=[("bought", "revenue")])
    summed = tasuki.compare(
        pl.concat([halves, halves]).with_columns(bought=pl.col("bought") / 2), variant="arm", unit="user",
        means=["revenue"], ratios=[("bought", "revenue")],
    )  # fmt: skip
    for one, other in zip(whole.results, summed.results, strict=True):
        assert (one.effect, one.p_value) == pytest.approx((other.effect, other.p_value), rel=1e-9)


def test_quantiles_of_arms_are_numpys() -> None:
    data = frame()
    found = tasuki.compare(data, variant="arm", quantiles=[("revenue", 0.9)]).results[0]
    for arm, value in (("control", found.control), ("treatment", found.treatment)):
        values = data.filter(pl.col("arm") == arm)["revenue"].to_numpy()
        assert value == pytest.approx(np.quantile(values, 0.9), rel=1e-12)
    assert found.method == "woodruff"


REFUSED = {
    "one arm": (lambda: frame().with_columns(arm=pl.lit("a")), {}, "only the arm 'a'"),
    "40,000 arms": (
        lambda: pl.DataFrame({"arm": [f"a{n}" for n in range(40_000)], "revenue": 1.0}),
        {},
        "has 40,000 values",
    ),
    "no such control": (frame, {"control": "Controll"}, "did you mean 'control'"),
    "an arm that is not planned": (frame, {"split": {"control": 0.5, "other": 0.5}}, "no share is planned for the arm"),
    "shares beyond one": (frame, {"split": {"control": 0.9, "treatment": 0.9}}, "add up to 1.8"),
    "no metric": (frame, {"means": []}, "none is named"),
    "a metric twice": (frame, {"means": ["revenue", "revenue"]}, "more than once"),
    "text as numbers": (frame, {"means": ["app"]}, "'app' is VARCHAR, as '(news|games)'"),
    "a proportion of money": (frame, {"means": [], "proportions": ["revenue"]}, "neither 0 nor 1"),
    "a margin for nothing": (frame, {"margins": {"x": 1}}, "no such metric"),
    "a margin below zero": (frame, {"margins": {"revenue": -1}}, "no margin"),
    "a quantile of two": (frame, {"quantiles": [("before", 2.0)]}, "2 is no quantile"),
    "an alpha of two": (frame, {"alpha": 2.0}, "2 is no level"),
    "a sub-query": (frame, {"means": ["(select 1)"]}, "Select is not allowed"),
    "a file that is read": (frame, {"means": ["read_text('/etc/passwd')"]}, "read_text is not allowed"),
    "two statements": (frame, {"means": ["revenue; drop table x"]}, "not one expression"),
    "an aggregate": (frame, {"means": ["sum(revenue)"]}, "Sum is not allowed"),
    "no rows": (lambda: frame().head(0), {}, "no row to compare"),
    "an unknown column": (frame, {"means": ["revenu"]}, "did you mean 'revenue'"),
    "a covariate that changes": (
        lambda: pl.concat([frame(), frame().with_columns(before=pl.col("before") + 1)]),
        {"unit": "user", "covariates": {"revenue": ["before"]}},
        "a covariate changes within",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_invalid_and_says_why(name: str) -> None:
    data, options, why = REFUSED[name]
    with pytest.raises(Invalid, match=why):
        tasuki.compare(data(), **{"variant": "arm", "means": ["revenue"], **options})


def test_dates_in_three_formats_are_text_and_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dates.csv"
    path.write_text("arm,at,x\na,2026-01-02,1\nb,02/01/2026,2\na,2 Jan 2026,3\nb,2026-01-02,4\n")
    assert main(["compare", str(path), "--variant", "arm", "--mean", "at"]) == 3
    assert "'at' is VARCHAR" in capsys.readouterr().err
    assert told(capsys, str(path), "--variant", "arm", "--mean", "x")["results"][0]["control"] == 2


def test_every_fault_of_the_options_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["compare", "x.csv", "--variant", "a", "--ratio", "x", "--quantile", "y", "--margin", "z", "--split", "a=b"]
    assert main(line) == 3
    error = capsys.readouterr().err
    assert all(option in error for option in ("--ratio", "--quantile", "--margin", "--split"))
    assert "Traceback" not in error


def test_a_missing_file_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "nowhere.parquet", "--variant", "a", "--mean", "x"]) == 5
    assert "there is no file nowhere.parquet" in capsys.readouterr().err


def test_people_see_the_table_the_concerns_and_the_recommendation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame(lift=1.0).write_parquet(tmp_path / "it's.parquet")
    assert main(["compare", str(tmp_path / "it's.parquet"), "--variant", "arm", "--mean", "revenue"]) == 0
    out = capsys.readouterr().out
    assert "recommendation: ship" in out
    assert "No control was named; 'control' was taken by its name" in out


def test_a_notebook_shows_a_table_and_hostile_names_stay_text() -> None:
    data = frame().with_columns(arm=pl.col("arm").replace("treatment", "<script>alert(1)</script>"))
    html = tasuki.compare(data, variant="arm", means=["revenue"])._repr_html_()
    assert "<table>" in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_importing_tasuki_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    heavy = ["duckdb", "sqlglot", "numpy", "scipy", "pandas", "pyarrow", "sqlalchemy", "typer"]
    code = f"import sys, tasuki; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_ratio_covariate_is_named_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "users.csv"
    rows = [f"{'ct'[k % 2]},{k * 7 % 9 + k % 5},{k % 4 + 2},{k * 7 % 9},{k % 3 + 1}" for k in range(400)]
    path.write_text("arm,clicks,views,clicks_before,views_before\n" + "\n".join(rows))
    asked = ["compare", str(path), "--variant", "arm", "--control", "c", "--ratio", "clicks/views", "--json"]
    assert main([*asked, "--ratio-covariate", "clicks/views=clicks_before/views_before"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["results"]
    covariates = {"clicks/views": [("clicks_before", "views_before")]}
    right = tasuki.compare(str(path), variant="arm", control="c", ratios=[("clicks", "views")], covariates=covariates)
    assert found["effect"] == right.results[0].effect
    assert found["method"] == right.results[0].method == "cuped+delta"
    assert main([*asked, "--ratio-covariate", "clicks/views=clicks_before"]) == 3
    assert "expected NUM/DEN" in capsys.readouterr().err
    plan = ["plan", "--kind", "ratio", "--from", str(path), "--numerator", "clicks", "--denominator", "views", "--mde"]
    assert main([*plan, "0.1", "--relative", "--ratio-covariate", "clicks_before/views_before", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["variance_reduction"] > 0.01
