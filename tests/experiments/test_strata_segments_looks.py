"""What strata, segments, planned looks and priors do to a comparison, seen from the call that users make."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import tasuki
from tasuki.cli.main import app
from tasuki.errors import Invalid
from tasuki.experiments.prior import prior_of
from tasuki.stats.group_sequential import boundaries


def frame(n: int = 6_000, seed: int = 2, **columns: object) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    country = rng.choice(["jp", "us", "de"], n, p=[0.5, 0.3, 0.2])
    arm = rng.choice(["control", "treatment"], n)
    base = {"jp": 10.0, "us": 40.0, "de": 70.0}
    spend = np.array([base[one] for one in country]) + rng.gamma(2.0, 4.0, n) + 1.0 * (arm == "treatment")
    views = rng.poisson(np.where(country == "jp", 4, 9), n) + 1
    data = {"arm": arm, "country": country, "spend": spend, "views": views, "clicks": rng.binomial(views, 0.3)}
    return pl.DataFrame({**data, **columns})


def codes(found: object) -> list[str]:
    return [one.code for one in found.concerns]


def test_strata_take_the_variance_between_them_out() -> None:
    data = frame()
    plain = tasuki.compare(data, variant="arm", means=["spend"]).results[0]
    found = tasuki.compare(data, variant="arm", means=["spend"], stratum="country")
    one = found.results[0]
    assert one.method == "stratified+welch"
    assert one.variance_reduction > 0.9
    assert one.effect_low < 1.0 < one.effect_high
    assert one.effect_high - one.effect_low < 0.4 * (plain.effect_high - plain.effect_low)
    assert [one.segment for one in found.results] == [None]


def test_a_stratum_may_be_a_segment_too() -> None:
    found = tasuki.compare(frame(), variant="arm", means=["spend"], stratum="country", segments=["country"])
    assert [one.segment for one in found.results] == [None, "country=de", "country=jp", "country=us"]
    assert [one.method for one in found.results] == ["stratified+welch", "welch", "welch", "welch"]


@pytest.mark.parametrize(
    ("asked", "method"),
    [
        ({"ratios": [("clicks", "views")]}, "stratified+delta"),
        ({"means": ["spend"], "covariates": {"spend": ["views"]}}, "stratified+cuped+welch"),
        ({"means": ["spend"], "sequential": True}, "sequential+stratified+welch"),
        ({"means": ["spend"], "looks": [0.5, 1], "planned_units": 6_000}, "group_sequential+stratified+welch"),
        ({"quantiles": [("spend", 0.5)]}, "woodruff"),
    ],
)
def test_strata_go_together_with_the_other_methods(asked: dict, method: str) -> None:
    found = tasuki.compare(frame(), variant="arm", stratum="country", **asked)
    assert found.results[0].method == method
    assert found.results[0].effect_low < found.results[0].effect < found.results[0].effect_high


def test_strata_that_an_arm_lacks_are_put_together_and_said() -> None:
    data = frame()
    rare = [f"c{at}" if at < 60 else one for at, one in enumerate(data["country"])]
    found = tasuki.compare(
        data.with_columns(country=pl.Series(rare)), variant="arm", means=["spend"], stratum="country"
    )
    assert "thin_strata" in codes(found)
    assert found.results[0].method == "stratified+welch"
    assert found.results[0].n_control + found.results[0].n_treatment == 6_000


def test_effects_that_differ_between_segments_are_tested_and_said() -> None:
    data = frame().with_columns(
        spend=pl.col("spend")
        + pl.when((pl.col("country") == "us") & (pl.col("arm") == "treatment")).then(6).otherwise(0)
    )
    found = tasuki.compare(data, variant="arm", means=["spend", "views"], segments=["country"])
    spend, views = found.heterogeneity
    assert (spend.metric, spend.column, spend.segments, spend.degrees) == ("spend", "country", 3, 2)
    assert spend.p_value < spend.p_value_adjusted < 1e-6
    assert views.p_value_adjusted > 0.05
    said = [one for one in found.concerns if one.code == "effects_differ"]
    assert len(said) == 1
    assert "country=us" in said[0].message


def test_simpsons_paradox_is_named_and_strata_mend_it() -> None:
    rng = np.random.default_rng(9)
    # Treatment is better in both countries, but most of its units live where everyone buys less.
    sizes = {("control", "rich"): 4_000, ("control", "poor"): 1_000, ("treatment", "rich"): 1_000}
    sizes["treatment", "poor"] = 4_000
    rate = {
        ("control", "rich"): 0.50,
        ("control", "poor"): 0.10,
        ("treatment", "rich"): 0.55,
        ("treatment", "poor"): 0.15,
    }
    rows = [(arm, country, rng.random(n) < rate[arm, country]) for (arm, country), n in sizes.items()]
    data = pl.DataFrame(
        {
            "arm": np.concatenate([[arm] * len(values) for arm, _, values in rows]),
            "country": np.concatenate([[country] * len(values) for _, country, values in rows]),
            "bought": np.concatenate([values for _, _, values in rows]),
        }
    )
    found = tasuki.compare(data, variant="arm", proportions=["bought"], segments=["country"])
    assert found.results[0].effect < 0
    assert {"segments_contradict", "segment_imbalance"} <= set(codes(found))
    mended = tasuki.compare(data, variant="arm", proportions=["bought"], stratum="country")
    assert mended.results[0].effect_low > 0


def test_segments_that_agree_raise_no_doubt() -> None:
    found = tasuki.compare(frame(seed=5), variant="arm", control="control", means=["spend"], segments=["country"])
    assert codes(found) == []


def test_planned_looks_widen_the_interval_as_their_boundary_says() -> None:
    data = frame()
    plain = tasuki.compare(data, variant="arm", means=["spend"]).results[0]
    found = tasuki.compare(data, variant="arm", means=["spend"], looks=[0.25, 0.5, 0.75, 1], planned_units=12_000)
    one, rule = found.results[0], found.monitoring
    assert one.method == "group_sequential+welch"
    assert (rule.rule, rule.spending, rule.looks) == ("group_sequential", "obrien_fleming", (0.25, 0.5))
    wanted = boundaries(0.05, (0.25, 0.5), "obrien_fleming")[-1]
    assert rule.critical == pytest.approx(wanted)
    assert one.effect_high - one.effect == pytest.approx(
        wanted * one.standard_error, rel=2e-3
    )  # Student's, 6,000 units
    assert one.p_value > plain.p_value
    assert "look_outside_rule" not in codes(found)


def test_the_last_look_spends_what_is_left_although_some_units_are_missing() -> None:
    found = tasuki.compare(frame(), variant="arm", means=["spend"], looks=[0.5, 1], planned_units=6_150)
    assert found.monitoring.critical == pytest.approx(boundaries(0.05, (0.5, 1.0), "obrien_fleming")[-1], abs=0.01)


def test_an_experiment_that_went_on_is_at_its_last_look() -> None:
    found = tasuki.compare(frame(), variant="arm", means=["spend"], looks=[0.5, 1], planned_units=4_000)
    assert found.monitoring.looks == (0.5, 1.5)
    assert 1.9 < found.monitoring.critical < 2.1


@pytest.mark.parametrize("planned", [8_000, 4_000])
def test_a_look_that_was_not_planned_is_said(planned: int) -> None:
    found = tasuki.compare(frame(), variant="arm", means=["spend"], looks=[0.5, 1], planned_units=planned)
    assert "look_outside_rule" in codes(found)


@pytest.mark.parametrize(
    "asked",
    [
        {"looks": [0.5, 1]},
        {"looks": [1, 0.5], "planned_units": 100},
        {"looks": [0.5, 1.5], "planned_units": 100},
        {"looks": [0.5, 1], "planned_units": 100, "sequential": True},
        {"looks": [0.5, 1], "planned_units": 100, "spending": "all"},
        {"tuning": 0, "sequential": True},
        {"prior": 1.5},
        {"stratum": "contry"},
        {"stratum": "arm"},
    ],
)
def test_a_design_that_cannot_be_is_refused(asked: dict) -> None:
    with pytest.raises(Invalid):
        tasuki.compare(frame(200), variant="arm", means=["spend"], **asked)


def test_the_tuning_of_always_valid_intervals_is_stated() -> None:
    found = tasuki.compare(frame(), variant="arm", means=["spend"], sequential=True, tuning=20_000)
    assert found.monitoring.tuning == 20_000
    usual = tasuki.compare(frame(), variant="arm", means=["spend"], sequential=True)
    assert usual.monitoring.tuning == 5_000
    assert found.monitoring.critical > usual.monitoring.critical


@pytest.mark.parametrize("way", [{}, {"sequential": True}, {"looks": [0.5, 1], "planned_units": 6_000}])
@pytest.mark.parametrize("metric", ["spend", "clicks/views"])
def test_guardrails_are_tested_under_every_rule_for_looks(way: dict, metric: str) -> None:
    asked = {"means": ["spend"]} if metric == "spend" else {"ratios": [("clicks", "views")]}
    found = tasuki.compare(frame(), variant="arm", margins={metric: "5%"}, **asked, **way).results[0]
    strict = tasuki.compare(frame(), variant="arm", margins={metric: "0.001%"}, **asked, **way).results[0]
    assert 0 < found.p_value_margin < strict.p_value_margin <= 1


def test_the_prior_and_its_source_are_stated_and_move_the_risk() -> None:
    usual = tasuki.compare(frame(), variant="arm", means=["spend"], stratum="country")
    assert "typical" in usual.prior_source
    own = tasuki.compare(
        frame(), variant="arm", means=["spend"], stratum="country", prior=0.4, prior_source="31 concluded ideas"
    )
    assert (own.prior, own.prior_source) == (0.4, "31 concluded ideas")
    assert own.recommendation.false_win_risk < usual.recommendation.false_win_risk


def test_a_covariate_that_holds_the_effect_is_an_error() -> None:
    data = frame()
    after = data["spend"] + 3 * (data["arm"] == "treatment").cast(int)
    found = tasuki.compare(
        data.with_columns(later=after), variant="arm", means=["spend"], covariates={"spend": ["later"]}
    )
    assert {"covariate_imbalance", "covariate_too_good"} <= set(codes(found))
    assert found.recommendation.decision == "cannot_tell"


def test_a_number_is_no_stratum() -> None:
    with pytest.raises(Invalid, match="6,000 values"):
        tasuki.compare(frame(), variant="arm", means=["views"], stratum="spend")


def test_a_single_stratum_is_no_stratum() -> None:
    found = tasuki.compare(frame(one=["x"] * 6_000), variant="arm", means=["spend"], stratum="one")
    assert found.results[0].method == "welch"


def test_a_metric_does_not_explain_itself() -> None:
    with pytest.raises(Invalid, match="cannot be made"):
        tasuki.compare(frame(), variant="arm", means=["spend"], covariates={"spend": ["spend"]})


@pytest.mark.parametrize(
    ("won", "believed", "source"),
    [
        ([True] * 3 + [False] * 17, 0.5, "3 wins in 20"),
        ([True] * 2, 0.5, "hypothesis"),
        ([], None, "typical"),
        ([], 1.0, "typical"),
    ],
)
def test_the_teams_own_history_comes_before_belief_and_the_fields_share(
    won: list, believed: float | None, source: str
) -> None:
    found = prior_of(won, believed)
    assert source in found.source
    assert 0 < found.value < 1


def test_a_learnt_prior_follows_the_true_share() -> None:
    rng = np.random.default_rng(1)
    for share in (0.05, 0.2, 0.5):
        true = rng.random(20_000) < share
        won = np.where(true, rng.random(20_000) < 0.8, rng.random(20_000) < 0.025)
        assert prior_of(list(won)).value == pytest.approx(share, abs=0.015)
    assert prior_of([True] * 10).value < 0.9
    assert prior_of([False] * 10).value > 0.05


def test_the_command_takes_a_number_of_looks_and_a_prior_in_percent(tmp_path: Path) -> None:
    frame().write_parquet(tmp_path / "a.parquet")
    words = ["compare", str(tmp_path / "a.parquet"), "--variant", "arm", "--mean", "spend", "--stratum", "country"]
    words += ["--looks", "4", "--planned-units", "12000", "--prior", "30%"]
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert found["monitoring"]["looks"] == [0.25, 0.5]
    assert (found["prior"], found["prior_source"]) == (0.3, "given")
    shown = CliRunner().invoke(app, words).stdout
    assert "look 2 at 50% of 12,000 planned units" in shown
    assert "30% of ideas work (given)" in shown


@pytest.mark.parametrize(("values", "control"), [([0, 1], 0), ([False, True], False), ([7, 3], 7)])
def test_control_may_be_named_by_the_columns_own_value(values: list[int], control: int) -> None:
    told = tasuki.compare(
        pl.DataFrame({"arm": values * 100, "spend": [float(i % 7) for i in range(200)]}),
        variant="arm",
        control=control,
        means=["spend"],
    )
    assert told.arms[0].name == str(control).lower()
    assert "control_guessed" not in [one.code for one in told.concerns]
