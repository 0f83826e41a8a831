"""A/B 2 of a workspace: registered on the team's own data, compared on what the service logged."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tasuki.actions.comparison import PlanRequest, compare_experiment, plan_experiment
from tasuki.actions.metrics import check_metrics, metric_named
from tasuki.actions.relay import open_idea
from tasuki.actions.transaction import Request, change_idea
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.errors import Invalid, Missing
from tasuki.flow import experimenting
from tasuki.flow.records import ComparisonReport

METRICS = """
[metric.clicks_per_user]
kind = "mean"
numerator = "clicked::integer"
table = "outcomes"
unit = "unit"
exposure = "exposure"
time = "at"
title = { en = "Clicks", ja = "クリック" }

[metric.bids_per_user]
kind = "mean"
numerator = "1"
table = "outcomes"
unit = "unit"
exposure = "exposure"
direction = "decrease"
title = { en = "Bids", ja = "入札" }

[metric.visits_per_user]
kind = "mean"
numerator = "pages"
table = "visits"
unit = "visitor"
time = "at"
title = { en = "Visits", ja = "訪問" }
"""
UNITS = 4_000


def write_logs(folder: Path, experiment: str, rates: dict[str, float], days: int = 7, seed: int = 1) -> pl.DataFrame:
    """Exposures and outcomes of every unit once a day, and pages visited before and after the first exposure."""
    rng = np.random.default_rng(seed)
    units = np.repeat(np.arange(UNITS), days)
    arms = np.where(units % 2 == 0, "control", "treatment")
    at = [datetime(2026, 4, 1) + timedelta(days=int(day)) for day in np.tile(np.arange(days), UNITS)]
    ids = [f"{experiment}-{n}" for n in range(len(units))]
    clicked = rng.random(len(units)) < np.vectorize(rates.get)(arms)
    exposures = pl.DataFrame(
        {"exposure": ids, "at": at, "experiment": experiment, "unit": [f"u{n}" for n in units], "arm": arms}
    )
    device = np.where(units % 4 < 2, "phone", "tablet")
    outcomes = pl.DataFrame(
        {"exposure": ids, "at": at, "unit": exposures["unit"], "clicked": clicked, "device": device}
    )
    for name, frame in (("exposures", exposures), ("outcomes", outcomes.sample(fraction=0.9, seed=seed))):
        (folder / "logs" / name).mkdir(parents=True, exist_ok=True)
        frame.write_parquet(folder / "logs" / name / f"{experiment}.parquet")
    return exposures.join(outcomes.select("exposure", "clicked"), on="exposure")


@pytest.fixture
def idea(workspace: Workspace) -> str:
    (workspace.folder / "metrics.toml").write_text(METRICS, encoding="utf-8")
    write_logs(workspace.folder, "earlier", {"control": 0.2, "treatment": 0.2})
    return open_idea(workspace, "An idea", actor="aoi", formation="all_in_one").idea


def request(**changes: Any) -> PlanRequest:
    return PlanRequest(
        **{
            "experiment": "ab2",
            "model": "ctr",
            "primary": "clicks_per_user",
            "guardrails": {"bids_per_user": 0.05},
            "minimal_detectable_effect": 0.1,
            "rule": "ship when better",
            "stop_rule": "at the end",
            "interactions": "none",
            **changes,
        }
    )


def started(workspace: Workspace, idea: str, name: str = "ab2") -> None:
    asked = Request("start", "aoi", {})
    change_idea(workspace, idea, asked, lambda s, act: [experimenting.start_experiment(s, act, name, "comparison")])


def compared(workspace: Workspace, idea: str, clock: MovableClock, days: float = 7) -> ComparisonReport:
    started(workspace, idea)
    clock.advance(days=days)
    return compare_experiment(workspace, idea, "ab2", actor="aoi")


def test_a_plan_is_sized_on_the_teams_own_data_and_attached(workspace: Workspace, idea: str) -> None:
    plan = plan_experiment(workspace, idea, request(), actor="aoi")
    assert plan.days % 7 == 0
    assert plan.power == 0.8
    assert [(one.name, one.role, one.margin) for one in plan.metrics] == [
        ("clicks_per_user", "primary", None),
        ("bids_per_user", "guardrail", 0.05),
    ]
    state = workspace.ledger.state(idea)
    assert state.latest("experiment_plan").record["units_needed"] == plan.units_needed
    clicks = pl.read_parquet(workspace.folder / "logs" / "outcomes" / "earlier.parquet")
    each = clicks.group_by("unit").agg(pl.col("clicked").sum())["clicked"]
    expected = 4 * (1.959964 + 0.841621) ** 2 * each.var() / (0.1 * each.mean()) ** 2
    assert plan.units_needed == pytest.approx(expected, abs=2)


def test_fewer_days_than_needed_register_the_power_that_is_there(workspace: Workspace, idea: str) -> None:
    plan = plan_experiment(
        workspace, idea, request(minimal_detectable_effect=0.02, days=7, units_per_day=500), actor="aoi"
    )
    assert plan.days == 7
    assert plan.units_needed == 3_500
    assert 0.05 < plan.power < 0.4


def test_a_real_gain_ships_and_agrees_with_the_frame(workspace: Workspace, idea: str, clock: MovableClock) -> None:
    plan_experiment(workspace, idea, request(days=7), actor="aoi")
    joined = write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.25}, seed=2)
    report = compared(workspace, idea, clock)
    clicks = joined.group_by("unit", "arm").agg(pl.col("clicked").fill_null(False).sum())
    result = report.results[0]
    outcomes = pl.read_parquet(workspace.folder / "logs" / "outcomes" / "ab2.parquet")
    counted = outcomes.group_by("unit").agg(pl.col("clicked").sum())
    arms = clicks.select("unit", "arm").join(counted, on="unit", how="left").fill_null(0)
    means = dict(arms.group_by("arm").agg(pl.col("clicked").mean()).iter_rows())
    assert result.control == pytest.approx(means["control"], abs=1e-12)
    assert result.treatment == pytest.approx(means["treatment"], abs=1e-12)
    assert (result.n_control, result.n_treatment) == (UNITS // 2, UNITS // 2)
    assert report.recommendation.decision == "ship"
    assert report.prior == 0.15
    assert "typical" in report.prior_source
    assert report.srm.passed
    assert report.days == pytest.approx(7)
    state = workspace.ledger.state(idea)
    assert state.latest("comparison_report").record["recommendation"]["decision"] == "ship"
    assert len(state.experiments[0].looks) == 1


def test_a_unit_without_outcome_counts_as_nothing_happened(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    plan_experiment(workspace, idea, request(days=7), actor="aoi")
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.2})
    path = workspace.folder / "logs" / "outcomes" / "ab2.parquet"
    outcomes = pl.read_parquet(path)
    outcomes.filter(~pl.col("unit").is_in([f"u{n}" for n in range(100)])).write_parquet(path)
    report = compared(workspace, idea, clock)
    bids = next(one for one in report.results if one.metric == "bids_per_user")
    assert bids.n_control == UNITS // 2
    assert bids.control < 7 * 0.9


def test_outcomes_of_another_experiment_do_not_count(workspace: Workspace, idea: str, clock: MovableClock) -> None:
    plan_experiment(workspace, idea, request(days=7), actor="aoi")
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.2})
    alone = compared(workspace, idea, clock)
    write_logs(workspace.folder, "other", {"control": 0.9, "treatment": 0.1}, seed=5)
    again = compare_experiment(workspace, idea, "ab2", actor="aoi")
    assert again.results[0].effect == pytest.approx(alone.results[0].effect, abs=1e-12)
    assert again.arms == alone.arms


def test_a_unit_exposed_in_two_arms_is_left_out_and_said(workspace: Workspace, idea: str, clock: MovableClock) -> None:
    plan_experiment(workspace, idea, request(days=7), actor="aoi")
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.2})
    path = workspace.folder / "logs" / "exposures" / "ab2.parquet"
    exposures = pl.read_parquet(path)
    strays = exposures.head(1).with_columns(pl.lit("stray").alias("exposure"), pl.lit("treatment").alias("arm"))
    pl.concat([exposures, strays]).write_parquet(path)
    report = compared(workspace, idea, clock)
    assert sum(arm.units for arm in report.arms) == UNITS - 1
    assert [one.code for one in report.concerns] == ["units_in_several_arms"]


def test_without_exposure_ids_only_what_follows_the_first_exposure_counts(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.2})
    before, after = datetime(2026, 3, 31), datetime(2026, 4, 2)
    visits = pl.DataFrame(
        {"visitor": ["u0", "u0", "u1", "u2"], "at": [before, after, before, after], "pages": [50, 3, 50, 4]}
    )
    (workspace.folder / "logs" / "visits").mkdir()
    visits.write_parquet(workspace.folder / "logs" / "visits" / "a.parquet")
    plan_experiment(
        workspace, idea, request(primary="visits_per_user", guardrails={}, days=7, units_per_day=600), actor="aoi"
    )
    report = compared(workspace, idea, clock)
    assert report.results[0].control == pytest.approx(7 / (UNITS / 2))
    assert report.results[0].treatment == 0


def test_a_look_before_the_end_is_recorded_and_decides_nothing(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    plan_experiment(workspace, idea, request(days=7), actor="aoi")
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.4})
    report = compared(workspace, idea, clock, days=2)
    assert report.recommendation.decision == "cannot_tell"
    assert "look_outside_rule" in [one.code for one in report.concerns]
    assert len(workspace.ledger.state(idea).experiments[0].looks) == 1


def test_a_sequential_stop_rule_allows_looks_with_wider_intervals(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    plan_experiment(workspace, idea, request(days=7, stop_rule="sequential: any day"), actor="aoi")
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.4})
    report = compared(workspace, idea, clock, days=2)
    assert report.results[0].method == "sequential+welch"
    assert report.recommendation.decision == "ship"


def test_a_lopsided_split_is_a_mismatch_and_decides_nothing(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    plan_experiment(workspace, idea, request(days=7, arms={"control": 0.6, "treatment": 0.4}), actor="aoi")
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.4})
    report = compared(workspace, idea, clock)
    assert not report.srm.passed
    assert report.recommendation.decision == "cannot_tell"


def test_the_same_key_gives_the_first_report_again(workspace: Workspace, idea: str, clock: MovableClock) -> None:
    plan = plan_experiment(workspace, idea, request(days=7), actor="aoi", key="p")
    assert plan_experiment(workspace, idea, request(days=7), actor="aoi", key="p") == plan
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.2})
    started(workspace, idea)
    clock.advance(days=7)
    first = compare_experiment(workspace, idea, "ab2", actor="aoi", key="c")
    sequence = workspace.ledger.state(idea).sequence
    assert compare_experiment(workspace, idea, "ab2", actor="aoi", key="c") == first
    assert workspace.ledger.state(idea).sequence == sequence


def test_what_cannot_be_planned_changes_nothing_and_names_every_fault(workspace: Workspace, idea: str) -> None:
    before = workspace.ledger.state(idea).sequence
    with pytest.raises(Invalid) as caught:
        plan_experiment(
            workspace, idea, request(rule=" ", minimal_detectable_effect=-1, guardrails={"x": 0}, days=0), actor="aoi"
        )
    assert [fault.where for fault in caught.value.faults] == ["rule", "days", "mde", "guardrail x"]
    with pytest.raises(Missing, match="no metric 'clicks_per_use'") as missing:
        plan_experiment(workspace, idea, request(primary="clicks_per_use"), actor="aoi")
    assert "clicks_per_user" in missing.value.next_step
    with pytest.raises(Missing, match="no member"):
        plan_experiment(workspace, idea, request(), actor="stranger")
    assert workspace.ledger.state(idea).sequence == before


def test_comparing_what_was_not_planned_or_started_is_missing(workspace: Workspace, idea: str) -> None:
    with pytest.raises(Missing, match="not planned"):
        compare_experiment(workspace, idea, "ab2", actor="aoi")
    plan_experiment(workspace, idea, request(), actor="aoi")
    with pytest.raises(Missing, match="not started"):
        compare_experiment(workspace, idea, "ab2", actor="aoi")


def test_an_experiment_that_nobody_was_exposed_to_is_invalid(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    plan_experiment(workspace, idea, request(days=7), actor="aoi")
    with pytest.raises(Invalid, match="no row to compare"):
        compared(workspace, idea, clock)


def test_metric_check_names_every_fault_of_every_metric(workspace: Workspace, idea: str) -> None:
    text = METRICS.replace("clicked::integer", "click + sum(1)").replace('"exposure"', '"exposur"', 1)
    (workspace.folder / "metrics.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        check_metrics(workspace.folder, {"outcomes": str(workspace.folder / "logs" / "outcomes" / "*.parquet")})
    told = str(caught.value)
    assert "metric.clicks_per_user.exposure: there is no column 'exposur'; did you mean 'exposure'?" in told
    assert "metric.clicks_per_user.numerator: Sum is not allowed" in told
    assert "metric.clicks_per_user.numerator: there is no column 'click'; did you mean 'clicked'?" in told
    assert "metric.visits_per_user.table" in told


def test_a_metric_is_found_by_name(workspace: Workspace, idea: str) -> None:
    assert metric_named(workspace.folder, "bids_per_user").direction == "decrease"
