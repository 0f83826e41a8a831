"""One idea runs the whole relay as a stranger would start it: real training, real HTTP, a real ledger."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tasuki.flow.records import EVIDENCE_TYPES
from tasuki.flow.state import IdeaState
from tasuki.settings.workspace import open_workspace


def run_tasuki(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LANG": "en_US.UTF-8", "LC_ALL": ""}
    command = [sys.executable, "-m", "tasuki.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("demo") / "tasuki-demo"
    return folder, run_tasuki("demo", "--no-serve", "--workspace", str(folder))


@pytest.fixture(scope="module")
def story(demo) -> IdeaState:
    folder, ended = demo
    assert ended.returncode == 0, ended.stderr
    workspace = open_workspace(folder)
    try:
        told = [state for state in workspace.ledger.ideas() if state.title in ended.stdout]
        return workspace.ledger.state(told[0].idea)
    finally:
        workspace.close()


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


def test_the_idea_runs_every_stage_and_its_case_is_filed(story):
    assert story.status == "concluded"
    assert story.case is not None
    accepted = {one.to_stage for one in story.handoffs if one.outcome != "returned"}
    assert accepted == {*story.stages[1:], "case"}


def test_every_kind_of_evidence_that_the_contracts_ask_for_is_there(story):
    assert {one.kind for one in story.evidence} == set(EVIDENCE_TYPES) - {"external_link"}


def test_one_hand_off_is_returned_and_one_comes_back_late_from_ab_1(story):
    returned = [(one.from_stage, one.late) for one in story.handoffs if one.outcome == "returned"]
    assert returned[0] == ("offline_validation", False)
    assert len(returned) == 2
    assert returned[1][1]


def test_an_offer_without_evidence_was_refused_with_what_was_missing(demo):
    _, ended = demo
    assert "hypothesis_brief" in ended.stderr
    assert "Rule:" in ended.stderr


def test_ab_1_fails_on_the_parameters_and_passes_when_they_can_be_fetched(story):
    reports = [one.record for one in story.evidence if one.kind == "check_report"]
    failed = {probe["name"] for probe in reports[0]["probes"] if not probe["passed"]}
    assert [report["passed"] for report in reports] == [False, True]
    assert "parameters_fetched" in failed


def test_ab_2_finds_the_effect_that_is_truly_there(story):
    report = story.latest("comparison_report")
    decision = story.latest("decision")
    assert report is not None
    assert decision is not None
    primary = next(one for one in report.record["results"] if one["metric"] == decision.record["metric"])
    assert primary["effect_low"] > 0
    assert decision.record["decision"] == "ship"


def test_ab_2_has_a_path_over_its_days_and_no_day_is_missing(story):
    report = story.latest("comparison_report").record
    run = next(one for one in story.experiments if one.name == report["experiment"])
    days = sorted({one["day"] for one in report["daily"]})
    assert days == [str(run.started_at.date() + timedelta(days=one)) for one in range(7)]
    codes = {one["code"] for one in report["concerns"]}
    assert not codes & {"missing_days", "exposures_outside_days"}


def test_ab_2_was_planned_and_read_by_the_system_of_a_persons_device(story):
    report = story.latest("comparison_report").record
    plan = next(one for one in story.evidence if one.kind == "experiment_plan").record
    assert list(plan["segments"]) == ["os"]
    assert {one["segment"] for one in report["results"] if one["segment"]} == {"os=android", "os=ios"}
    assert not {one["code"] for one in report["concerns"]} & {"segment_varies", "outside_the_plan"}


def test_comparing_on_an_idea_that_has_ended_leads_to_its_report(demo, story):
    folder, _ = demo
    refused = run_tasuki("experiment", "compare", "recency-comparison", "--workspace", str(folder))
    assert refused.returncode == 4
    assert "tasuki experiment report recency-comparison" in " ".join(refused.stderr.split())


def test_the_ledger_of_the_demo_is_healthy_and_a_second_run_changes_nothing(demo):
    folder, _ = demo
    doctor = run_tasuki("doctor", "--json", "--workspace", str(folder))
    assert doctor.returncode == 0, doctor.stdout
    again = run_tasuki("demo", "--no-serve", "--workspace", str(folder))
    assert again.returncode == 0
    after = run_tasuki("doctor", "--json", "--workspace", str(folder))
    assert json.loads(after.stdout)["events"] == json.loads(doctor.stdout)["events"]


def test_the_demo_leaves_a_workspace_of_others_alone(tmp_path):
    assert run_tasuki("init", str(tmp_path / "ours")).returncode == 0
    before = sorted((path, path.stat().st_size) for path in (tmp_path / "ours").rglob("*") if path.is_file())
    refused = run_tasuki("demo", "--no-serve", "--workspace", str(tmp_path / "ours"))
    assert refused.returncode == 4
    assert before == sorted((path, path.stat().st_size) for path in (tmp_path / "ours").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("log", "mapping"), [("at,user,label\n1,u,0\n", "nonsense = 3\n"), ("a,b\n1,2\n", None), (None, None), ("", None)]
)
def test_a_log_that_cannot_be_read_leaves_nothing_behind(tmp_path, log, mapping):
    options = ["--logs", str(tmp_path / "log.csv")]
    if log is not None:
        (tmp_path / "log.csv").write_text(log)
    if mapping is not None:
        (tmp_path / "mapping.toml").write_text(mapping)
        options += ["--mapping", str(tmp_path / "mapping.toml")]
    refused = run_tasuki("demo", "--no-serve", "--workspace", str(tmp_path / "new"), *options)
    assert refused.returncode in (3, 5), refused.stderr
    assert "Next:" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "new").exists()
