"""What was registered is frozen at the start, a comparison that asks something else says so, and a person decides."""

import json
from datetime import date
from pathlib import Path

import pytest
from test_comparison_actions import METRICS, request, started, write_logs

from relay_play import evidence_body
from tasuki.actions.comparison import OtherQuestion, compare_experiment, plan_experiment
from tasuki.actions.decision import DecisionRequest, decide_experiment
from tasuki.actions.evidence import attach_evidence
from tasuki.actions.experiment_list import list_experiments
from tasuki.actions.relay import open_idea
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.clock import MovableClock
from tasuki.errors import Invalid, Missing, Refused
from tasuki.flow.records import ComparisonReport

CALENDAR = '[[holiday]]\ndate = 2026-05-03\ntitle = "憲法記念日"\n'


@pytest.fixture
def idea(workspace: Workspace) -> str:
    (workspace.folder / "metrics.toml").write_text(METRICS, encoding="utf-8")
    write_logs(workspace.folder, "earlier", {"control": 0.2, "treatment": 0.2})
    return open_idea(workspace, "An idea", actor="aoi", formation="all_in_one").idea


def run(workspace: Workspace, idea: str, clock: MovableClock, days: float = 7, **changes: object) -> None:
    plan_experiment(workspace, idea, request(**{"days": 7, **changes}), actor="aoi")
    write_logs(workspace.folder, "ab2", {"control": 0.2, "treatment": 0.25})
    started(workspace, idea)
    clock.advance(days=days)


def outside(report: ComparisonReport) -> dict[str, tuple[str, str]]:
    found = [one for one in report.concerns if one.code == "outside_the_plan"]
    said = [one for note in found for one in note.values["departures"]]
    return {one["what"]: (one["registered"], one["seen"]) for one in said}


def severity(report: ComparisonReport) -> str:
    return next(one.severity for one in report.concerns if one.code == "outside_the_plan")


def test_given_numbers_are_registered_and_what_does_not_fit_them_is_said(workspace: Workspace, idea: str) -> None:
    given = request(baseline=2.0, variance=4.0, units_per_day=1_000)
    plan = plan_experiment(workspace, idea, given, actor="aoi")
    assert (plan.baseline, plan.units_per_day) == (2.0, 1_000)
    with pytest.raises(Invalid) as caught:
        plan_experiment(workspace, idea, request(baseline=2.0, aa=40), actor="aoi")
    assert {one.where for one in caught.value.faults} == {"units_per_day", "aa"}
    with pytest.raises(Invalid, match="without a baseline"):
        plan_experiment(workspace, idea, request(variance=4.0), actor="aoi")


def test_a_plan_registers_everything_that_decides(workspace: Workspace, idea: str) -> None:
    (workspace.folder / "calendar.toml").write_text(CALENDAR, encoding="utf-8")
    asked = request(
        days=14,
        adjust="bh",
        sequential="group_sequential",
        looks=(0.5, 1.0),
        exclusions=("bots",),
        label_delay_days=3,
        first_day=date(2026, 4, 27),
        aa=40,
    )
    plan = plan_experiment(workspace, idea, asked, actor="aoi")
    assert (plan.adjust, plan.sequential, plan.looks, plan.exclusions) == (
        "bh",
        "group_sequential",
        (0.5, 1.0),
        ("bots",),
    )
    assert (plan.first_day, plan.last_day, plan.label_delay_days) == (date(2026, 4, 27), date(2026, 5, 10), 3)
    assert plan.holidays == ("2026-05-03 憲法記念日",)
    assert plan.aa is not None
    assert plan.aa.splits == 40
    assert len({one.definition for one in plan.metrics}) == len(plan.metrics)


def test_a_plan_is_frozen_at_the_start(workspace: Workspace, idea: str, clock: MovableClock) -> None:
    run(workspace, idea, clock)
    with pytest.raises(Refused, match="frozen at the start"):
        plan_experiment(workspace, idea, request(alpha=0.2), actor="aoi")
    with pytest.raises(Refused, match="frozen at the start"):
        attach_evidence(workspace, idea, evidence_body("experiment_plan", experiment="ab2"), actor="aoi")
    attach_evidence(workspace, idea, evidence_body("experiment_plan", experiment="next"), actor="aoi")


def test_the_registered_question_has_nothing_outside_the_plan(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    run(workspace, idea, clock)
    report = compare_experiment(workspace, idea, "ab2", actor="aoi")
    assert outside(report) == {}
    assert report.recommendation.decision == "ship"


@pytest.mark.parametrize(
    ("other", "what", "told"),
    [
        (OtherQuestion(alpha=0.2), "alpha", ("0.05", "0.2")),
        (OtherQuestion(primary=("bids_per_user",)), "primary", ("clicks_per_user", "bids_per_user")),
        (OtherQuestion(adjust="none"), "adjust", ("holm", "none")),
        (OtherQuestion(sequential=True), "looking", ("none", "always_valid")),
    ],
)
def test_another_question_is_named_and_decides_nothing(
    workspace: Workspace, idea: str, clock: MovableClock, other: OtherQuestion, what: str, told: tuple[str, str]
) -> None:
    run(workspace, idea, clock)
    report = compare_experiment(workspace, idea, "ab2", actor="aoi", other=other)
    assert outside(report) == {what: told}
    assert severity(report) == "error"
    assert report.recommendation.decision == "cannot_tell"
    assert any(told[1] in reason for reason in report.recommendation.reasons)


def test_what_changed_since_the_plan_is_a_warning_that_the_recommendation_names(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    run(workspace, idea, clock, days=3, label_delay_days=2)
    compare_experiment(workspace, idea, "ab2", actor="aoi")
    clock.advance(days=5)
    path = workspace.folder / "metrics.toml"
    path.write_text(METRICS.replace('numerator = "1"', 'numerator = "2"'), encoding="utf-8")
    report = compare_experiment(workspace, idea, "ab2", actor="aoi", other=OtherQuestion(segments=("device",)))
    assert set(outside(report)) == {"segments", "definition", "earlier_looks", "label_delay"}
    assert severity(report) == "warning"
    assert report.recommendation.decision == "ship"
    assert report.recommendation.grounds[-1].code == "outside_plan"
    assert "bids_per_user" in report.recommendation.reasons[-1]


def test_what_was_never_registered_cannot_decide(workspace: Workspace, idea: str, clock: MovableClock) -> None:
    run(workspace, idea, clock)
    with pytest.raises(Invalid, match="visits_per_user: was not registered"):
        compare_experiment(workspace, idea, "ab2", actor="aoi", other=OtherQuestion(primary=("visits_per_user",)))
    with pytest.raises(Invalid, match="country: is no column of outcomes"):
        compare_experiment(workspace, idea, "ab2", actor="aoi", other=OtherQuestion(segments=("country",)))


def test_a_person_decides_and_the_difference_stays_to_be_read(
    workspace: Workspace, idea: str, clock: MovableClock
) -> None:
    run(workspace, idea, clock)
    wanted = DecisionRequest("ab2", "do_not_ship", "too dear to serve", "aoi", "remove the path", clean_up_done=True)
    with pytest.raises(Missing, match="not compared"):
        decide_experiment(workspace, idea, wanted, actor="aoi")
    compare_experiment(workspace, idea, "ab2", actor="aoi")
    entry = list_experiments(workspace)[0]
    assert (entry.recommended, entry.decided) == ("ship", None)
    decision = decide_experiment(workspace, idea, wanted, actor="aoi", key="k")
    assert decide_experiment(workspace, idea, wanted, actor="aoi", key="k") == decision
    assert (decision.recommended, decision.metric) == ("ship", "clicks_per_user")
    assert decision.effect is not None
    assert decision.surprise == 0.5
    entry = list_experiments(workspace)[0]
    assert (entry.recommended, entry.decided, entry.decision_reason, entry.decided_by) == (
        "ship",
        "do_not_ship",
        "too dear to serve",
        "aoi",
    )


def test_a_decision_without_reason_or_date_is_refused_with_all_faults(workspace: Workspace, idea: str) -> None:
    with pytest.raises(Invalid) as caught:
        decide_experiment(workspace, idea, DecisionRequest("ab2", "ship", " ", "nobody", "x"), actor="aoi")
    for where in ("reason", "monitoring_owner", "clean_up"):
        assert where in str(caught.value)


def test_the_commands_explore_and_decide(
    workspace: Workspace,
    idea: str,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TASUKI_WORKSPACE", str(Path(workspace.folder)))
    run(workspace, idea, clock)
    assert main(["experiment", "compare", "ab2", "--alpha", "0.1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["report"]
    assert "outside_the_plan" in [one["code"] for one in report["concerns"]]
    assert main(["experiment", "compare", "ab2"]) == 0
    capsys.readouterr()
    decide = ["experiment", "decide", "ab2", "--decision", "extend", "--reason", "one more week"]
    decide += ["--monitoring-owner", "aoi", "--clean-up", "none", "--clean-up-due", "2026-06-01"]
    assert main(decide) == 0
    assert "extend, while ship was recommended. one more week" in capsys.readouterr().out
    assert main([*decide, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["as_recommended"]) == ("tasuki.experiment_decide/1", False)
