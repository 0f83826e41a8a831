"""Experiments on a real workspace: starts that are refused change nothing, and A/B 1 finds each injected fault."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from check_world import (
    SHARES,
    START,
    Row,
    as_json,
    draw,
    idea_for,
    make_template,
    opened,
    request_of,
    versions_of,
    write_outcomes,
)
from relay_play import evidence_body
from tasuki.actions import observation
from tasuki.actions import start as actions
from tasuki.actions.check import (
    ClientSaid,
    StartRequest,
    check_experiment,
    list_experiments,
    read_thresholds,
    start_experiment,
    stop_experiment,
)
from tasuki.actions.evidence import attach_evidence
from tasuki.actions.relay import kill_idea
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.clock import MovableClock
from tasuki.errors import Invalid, Missing, Refused, TasukiError, Unavailable
from tasuki.experiments.assignment import assign
from tasuki.flow.records import CheckReport
from tasuki.models.artifact import Artifact, score_rows
from tasuki.store.routing import load_routing
from tasuki.texts import Teller, from_record


@dataclass(frozen=True)
class Desk:
    """A workspace with a champion, a challenger and a version that came before it."""

    workspace: Workspace
    clock: MovableClock
    champion: Artifact
    challenger: Artifact
    old: Artifact

    def request(self, name: str = "e1", **changes: Any) -> StartRequest:
        return request_of(self.workspace, name, **changes)

    def idea(self, kind: str = "check", actor: str = "yui") -> str:
        return idea_for(self.workspace, kind, actor)

    def answers(self, rows: list[Row], name: str = "e1") -> list[Row]:
        """The exposures of a service that behaves, for rows one hour after another."""
        scores = {arm: scores_of(self.of(arm), rows) for arm in SHARES}
        exposures = []
        for number, features in enumerate(rows):
            unit = f"u{number % 900}"
            arm = assign(unit, name, SHARES)[0]
            row = {"exposure": f"x{number}", "unit": unit, "features": features, "score": scores[arm][number]}
            exposures.append(self.answer(row, arm, name))
        return exposures

    def of(self, arm: str) -> Artifact:
        return self.champion if arm == "control" else self.challenger

    def moved(self, row: Row, arm: str) -> Row:
        """The same request as another arm would have answered it."""
        return self.answer({**row, "score": score(self.of(arm), row["features"])}, arm)

    def answer(self, row: Row, arm: str, name: str = "e1") -> Row:
        artifact = self.of(arm)
        scored = {
            "at": datetime.fromisoformat(row["features"].get("at") or START.isoformat()),
            "experiment": name,
            "model": "ctr",
            "arm": arm,
            "version": artifact.version,
            "fallback": False,
            "reason": None,
            "latency_us": 800 + len(row["exposure"]),
        }
        return {**row, **scored}

    def log(self, rows: list[Row]) -> None:
        table = pa.Table.from_pylist([{**row, "features": as_json(row["features"])} for row in rows])
        folder = self.workspace.folder / "logs" / "exposures"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / "segment-0.parquet")

    def check(self, rows: list[Row], asked: list[Row] | None = None, **more: Any) -> CheckReport:
        idea = self.idea()
        start_experiment(self.workspace, idea, self.request(), actor="yui")
        self.clock.advance(days=2)
        asked = asked or ROWS
        if rows:
            self.log(rows)
            named = [f"x{number}" for number in range(len(asked))]
            write_outcomes(self.workspace.folder / "logs" / "outcomes", "day-0", asked, named)
        stop_experiment(self.workspace, idea, "e1", actor="yui")
        said = ClientSaid({"all": len(asked)}, failed=0)
        return check_experiment(self.workspace, idea, "e1", actor="yui", said=said, **more)


def scores_of(artifact: Artifact, rows: list[Row]) -> list[float]:
    found: list[float] = score_rows(artifact, {n: [one.get(n) for one in rows] for n in artifact.inputs}).tolist()
    return found


def score(artifact: Artifact, features: Row) -> float:
    return scores_of(artifact, [features])[0]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk") / "workspace"
    make_template(folder)
    return folder


@pytest.fixture
def desk(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(observation, "LOG_DELAY_S", 0.0)
    folder, clock = tmp_path / "workspace", MovableClock(START + timedelta(hours=1))
    shutil.copytree(template, folder)
    with closing(opened(folder, clock)) as workspace:
        versions = versions_of(workspace)
        yield Desk(workspace, clock, versions.champion, versions.challenger, versions.old)


ROWS = draw(3_000, 2, 48)


def failed(report: CheckReport) -> set[str]:
    assert report.passed == all(one.passed for one in report.probes)
    return {one.name for one in report.probes if not one.passed}


def test_a_service_that_behaves_passes_every_probe_and_the_report_is_evidence(desk: Desk) -> None:
    report = desk.check(desk.answers(ROWS))
    assert failed(report) == set()
    assert report.days == pytest.approx(2.0)
    state = desk.workspace.ledger.state("idea-1")
    entry = state.latest("check_report")
    assert entry is not None
    assert entry.body["producer"] == "tasuki experiment check"
    assert entry.body["data_window"]["start"] < entry.body["data_window"]["end"]
    assert len(state.experiments[0].looks) == 1


SCORES = {"score_distribution", "score_distance"}


@pytest.mark.slow
def test_a_service_that_behaves_raises_no_alarm_whatever_its_traffic(desk: Desk) -> None:
    alarms: dict[int, set[str]] = {}
    for seed in range(4):
        name = f"seed-{seed}"
        rows, idea = draw(3_000, 100 + seed, 48), desk.idea()
        start_experiment(desk.workspace, idea, desk.request(name), actor="yui")
        desk.clock.advance(days=2)
        answers = [{**one, "exposure": f"{name}/{one['exposure']}"} for one in desk.answers(rows, name)]
        desk.log(answers)
        named = [one["exposure"] for one in answers]
        write_outcomes(desk.workspace.folder / "logs" / "outcomes", "day-0", rows, named)
        stop_experiment(desk.workspace, idea, name, actor="yui")
        said = ClientSaid({"all": len(rows)}, failed=0)
        report = check_experiment(desk.workspace, idea, name, actor="yui", said=said)
        by_day = {name for one in report.by_day for name in one.failed}
        alarms[seed] = failed(report) | by_day
    assert alarms == {seed: set() for seed in range(4)}


def fall_back(desk: Desk, rows: list[Row]) -> list[Row]:
    reason = {"fallback": True, "reason": "parameters_unavailable", "version": desk.champion.version}
    return [
        {**one, **reason, "score": score(desk.champion, one["features"])} if one["arm"] == "treatment" else one
        for one in rows
    ]


def treat(rows: list[Row], change: Callable[[Row], Row]) -> list[Row]:
    return [{**one, **change(one)} if one["arm"] == "treatment" else one for one in rows]


def other_arm(arm: str) -> str:
    return "control" if arm == "treatment" else "treatment"


def nine_hours_off(row: Row) -> Row:
    at = (datetime.fromisoformat(row["features"]["at"]) + timedelta(hours=9)).isoformat()
    return {"features": {**row["features"], "at": at}}


def other_version(desk: Desk, version: Artifact, label: bool) -> Callable[[Row], Row]:
    said = {"version": version.version} if label else {}
    return lambda row: {"score": score(version, row["features"]), **said}


FAULTS: dict[str, tuple[Callable[[Desk, list[Row]], list[Row]], set[str]]] = {
    "parameters cannot be fetched": (
        fall_back,
        {"version_published", "parameters_fetched", "fallback_rate", *SCORES, "calibration"},
    ),
    "stale pointer": (
        lambda desk, rows: treat(rows, other_version(desk, desk.old, True)),
        {"version_published", *SCORES},
    ),
    "lost exposures": (lambda desk, rows: rows[:-10], {"exposures_complete"}),
    "sampled log": (lambda desk, rows: rows[::3], {"exposures_complete"}),
    "arm swap": (
        lambda desk, rows: [desk.moved(one, other_arm(one["arm"])) for one in rows],
        {"assignment_recomputed", "split"},
    ),
    "arms' labels swapped in the log": (
        lambda desk, rows: [{**one, "arm": other_arm(one["arm"])} for one in rows],
        {"assignment_recomputed", "split", "version_published"},
    ),
    "sticky arm": (
        lambda desk, rows: [desk.moved(one, "treatment") if int(one["unit"][1:]) < 200 else one for one in rows],
        {"assignment_recomputed", "split"},
    ),
    "slow arm": (lambda desk, rows: treat(rows, lambda one: {"latency_us": 40_000}), {"latency"}),
    "shifted scores": (
        lambda desk, rows: treat(rows, lambda one: {"score": min(1.0, one["score"] * 3)}),
        {*SCORES, "scores_recomputed", "calibration"},
    ),
    "time zone off by nine hours in the log": (
        lambda desk, rows: treat(rows, nine_hours_off),
        {"scores_recomputed"},
    ),
    "feature renamed": (
        lambda desk, rows: treat(
            rows,
            lambda one: {"features": {key.replace("minutes", "elapsed"): v for key, v in one["features"].items()}},
        ),
        {"features_present", "scores_recomputed"},
    ),
    "feature null": (
        lambda desk, rows: treat(rows, lambda one: {"features": {**one["features"], "minutes": None}}),
        {"features_present", "scores_recomputed"},
    ),
    "scored by another version's parameters": (
        lambda desk, rows: treat(rows, other_version(desk, desk.old, False)),
        {"scores_recomputed", *SCORES},
    ),
    "exposures twice": (lambda desk, rows: [*rows, *rows[:5]], {"exposures_unique"}),
    "a unit in two arms": (
        lambda desk, rows: [desk.moved(rows[0], other_arm(rows[0]["arm"])), *rows[1:]],
        {"units_in_one_arm", "assignment_recomputed"},
    ),
    "no number for a score": (
        lambda desk, rows: treat(rows, lambda one: {"score": float("nan")} if int(one["unit"][1:]) < 30 else {}),
        {"scores_recomputed", "calibration"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_an_injected_fault_fails_the_probe_that_names_it_and_nothing_else(desk: Desk, fault: str) -> None:
    inject, expected = FAULTS[fault]
    assert failed(desk.check(inject(desk, desk.answers(ROWS)))) == expected


def test_other_traffic_than_trained_on_moves_the_distribution_and_still_recomputes(desk: Desk) -> None:
    rows = [{**one, "app": "app5", "minutes": 0.5} for one in ROWS]
    assert failed(desk.check(desk.answers(rows), rows)) == {
        *SCORES, "features_as_trained", "calibration",
    }  # fmt: skip


def test_without_exposures_nothing_about_the_log_passes(desk: Desk) -> None:
    report = desk.check([])
    assert not report.passed
    assert {one.name for one in report.probes if one.passed} == {
        "training_succeeded", "training_on_schedule", "labels_mature",
    }  # fmt: skip


def test_a_location_without_the_version_is_named_though_training_succeeded(desk: Desk) -> None:
    idea = desk.idea()
    start_experiment(desk.workspace, idea, desk.request(treatment_location="staging"), actor="yui")
    rows = fall_back(desk, desk.answers(ROWS))
    desk.log(rows)
    report = check_experiment(desk.workspace, idea, "e1", actor="yui", said=ClientSaid({"all": len(rows)}, 0))
    told = {one.name: one.explanation for one in report.probes if not one.passed}
    assert {"version_published", "parameters_fetched", "fallback_rate"} <= set(told)
    assert "staging" in told["version_published"]
    assert "training_succeeded" not in told
    assert report.incidents == (f"treatment: {sum(one['fallback'] for one in rows):,} × parameters_unavailable",)
    kept = [from_record(one) for one in report.said["incidents"]]
    assert kept == list(report.incidents)
    assert Teller().japanese(kept[0]) == report.incidents[0].replace(" ×", " 件 ×")


def test_a_damaged_artifact_is_named(desk: Desk) -> None:
    rows = desk.answers(ROWS)
    weights = desk.workspace.folder / "artifacts" / "ctr" / "versions" / desk.challenger.version / "weights.npy"
    weights.write_bytes(weights.read_bytes()[:-8])
    assert {"training_succeeded", "scores_recomputed"} <= failed(desk.check(rows))


def test_days_come_from_outcomes_when_traffic_was_replayed_and_lost_exposures_show(desk: Desk) -> None:
    rows = desk.answers(ROWS)
    write_outcomes(desk.workspace.folder / "logs" / "outcomes", "day-0", ROWS, [one["exposure"] for one in rows])
    idea = desk.idea()
    start_experiment(desk.workspace, idea, desk.request(), actor="yui")
    replayed = [{**one, "at": START + timedelta(microseconds=number)} for number, one in enumerate(rows)]
    desk.log(replayed)
    counted = ClientSaid(failed=0)
    report = check_experiment(desk.workspace, idea, "e1", actor="yui", said=counted)
    assert failed(report) == set()
    assert report.days == pytest.approx(2.0)
    assert [(one.day.isoformat(), one.failed) for one in report.by_day] == [
        ("2026-04-01", ()), ("2026-04-02", ()), ("2026-04-03", ()),
    ]  # fmt: skip
    desk.log([one for number, one in enumerate(replayed) if number % 100 != 50])
    lost = check_experiment(desk.workspace, idea, "e1", actor="yui", said=counted)
    assert failed(lost) == {"exposures_complete"}
    assert failed(
        check_experiment(desk.workspace, idea, "e1", actor="yui", said=ClientSaid({"all": 2970}, 0, 0.5))
    ) == {"days_covered"}


def test_a_check_asked_twice_under_one_key_is_attached_once(desk: Desk) -> None:
    first = desk.check(desk.answers(ROWS), key="k")
    again = check_experiment(
        desk.workspace, "idea-1", "e1", actor="yui", said=ClientSaid({"all": len(ROWS)}, 0), key="k"
    )
    assert again == first
    assert [one.kind for one in desk.workspace.ledger.state("idea-1").evidence] == ["check_report"]


def test_thresholds_are_the_teams_own_data(desk: Desk) -> None:
    (desk.workspace.folder / "playbook" / "check.toml").write_text("days_required = 3\n", encoding="utf-8")
    report = desk.check(desk.answers(ROWS))
    assert failed(report) == {"days_covered"}
    assert report.days_required == 3


def test_a_start_routes_and_a_stop_routes_back(desk: Desk) -> None:
    idea = desk.idea()
    start_experiment(desk.workspace, idea, desk.request(treatment_location="other"), actor="yui")
    routing = load_routing(desk.workspace.folder)
    assert routing is not None
    assert [(one.name, one.share, one.channel, one.location) for one in routing.arms] == [
        ("control", 0.6, "champion", "artifacts"),
        ("treatment", 0.4, "challenger", "other"),
    ]
    assert (routing.experiment, routing.kind, routing.salt) == ("e1", "check", "e1")
    assert [(one.name, one.routed, one.model) for one in list_experiments(desk.workspace)] == [("e1", True, "ctr")]
    stop_experiment(desk.workspace, idea, "e1", actor="yui")
    plain = load_routing(desk.workspace.folder)
    assert plain is not None
    assert (plain.experiment, [one.name for one in plain.arms]) == (None, ["control"])
    assert not list_experiments(desk.workspace)[0].routed


def test_a_start_that_crashed_before_the_routing_is_completed_by_the_same_call(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    idea = desk.idea()

    def crash(*_: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as broken:
        broken.setattr(actions, "save_routing", crash)
        with pytest.raises(OSError, match="power"):
            start_experiment(desk.workspace, idea, desk.request(), actor="yui", key="s")
    assert load_routing(desk.workspace.folder) is None
    before = desk.workspace.ledger.state(idea)
    for key in ("s", None):
        assert start_experiment(desk.workspace, idea, desk.request(), actor="yui", key=key) == before
        routing = load_routing(desk.workspace.folder)
        assert routing is not None
        assert routing.experiment == "e1"


def test_a_stop_that_crashed_before_the_ledger_leaves_nobody_in_an_arm(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    idea = desk.idea()
    start_experiment(desk.workspace, idea, desk.request(), actor="yui")

    def crash(*_: object, **__: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as broken:
        broken.setattr(type(desk.workspace.ledger), "append", crash)
        with pytest.raises(OSError, match="power"):
            stop_experiment(desk.workspace, idea, "e1", actor="yui")
    routing = load_routing(desk.workspace.folder)
    assert routing is not None
    assert routing.experiment is None
    assert stop_experiment(desk.workspace, idea, "e1", actor="yui").experiments[0].stopped_at is not None


def test_an_experiment_that_outlived_its_idea_can_be_stopped(desk: Desk) -> None:
    idea = desk.idea()
    start_experiment(desk.workspace, idea, desk.request(), actor="yui")
    kill_idea(desk.workspace, idea, actor="yui", reason="the partner left")
    stop_experiment(desk.workspace, idea, "e1", actor="yui")
    assert not list_experiments(desk.workspace)[0].routed


REFUSALS: dict[str, tuple[Callable[[Desk], tuple[str, StartRequest, str]], type[TasukiError], str]] = {
    "wrong role": (lambda desk: (desk.idea(), desk.request(), "aoi"), Refused, "ml_engineer"),
    "wrong stage": (lambda desk: (desk.idea("comparison", "mio"), desk.request(), "mio"), Refused, "ab_check"),
    "no plan": (
        lambda desk: (desk.idea("comparison", "mio"), desk.request(kind="comparison"), "mio"), Refused, "no plan",
    ),
    "shares": (
        lambda desk: (desk.idea(), desk.request(shares={"control": 0.7, "treatment": 0.2}), "yui"), Invalid, "0.9",
    ),
    "arms": (lambda desk: (desk.idea(), desk.request(shares={"a": 0.7, "b": 0.3}), "yui"), Invalid, "treatment"),
    "no name": (lambda desk: (desk.idea(), desk.request(" "), "yui"), Invalid, "experiment"),
    "no champion": (lambda desk: (desk.idea(), desk.request(model="cvr"), "yui"), Missing, "champion"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refused_start_changes_nothing_and_says_why(desk: Desk, case: str) -> None:
    arrange, kind, said = REFUSALS[case]
    idea, request, actor = arrange(desk)
    before = desk.workspace.ledger.state(idea)
    with pytest.raises(kind, match=said):
        start_experiment(desk.workspace, idea, request, actor=actor)
    assert desk.workspace.ledger.state(idea) == before
    assert load_routing(desk.workspace.folder) is None


def test_no_second_experiment_starts_on_a_model_nor_under_a_name_that_is_taken(desk: Desk) -> None:
    first, second = desk.idea(), desk.idea()
    start_experiment(desk.workspace, first, desk.request(), actor="yui")
    routing = load_routing(desk.workspace.folder)
    for request in (desk.request("e2"), desk.request("e1")):
        with pytest.raises(Refused, match="e1"):
            start_experiment(desk.workspace, second, request, actor="yui")
    with pytest.raises(Refused, match="e1"):
        start_experiment(desk.workspace, first, desk.request(salt="other"), actor="yui")
    assert load_routing(desk.workspace.folder) == routing
    stop_experiment(desk.workspace, first, "e1", actor="yui")
    with pytest.raises(Refused, match="other settings"):
        start_experiment(desk.workspace, first, desk.request(treatment_location="mended"), actor="yui")
    start_experiment(desk.workspace, second, desk.request("e2"), actor="yui")


def test_a_comparison_runs_as_it_was_registered(desk: Desk) -> None:
    idea = desk.idea("comparison", "mio")
    attach_evidence(desk.workspace, idea, evidence_body("experiment_plan", experiment="e1"), actor="mio")
    with pytest.raises(Refused, match=r"control=0\.5"):
        start_experiment(desk.workspace, idea, desk.request(kind="comparison"), actor="mio")
    planned = desk.request(kind="comparison", shares={"control": 0.5, "treatment": 0.5})
    start_experiment(desk.workspace, idea, planned, actor="mio")
    routing = load_routing(desk.workspace.folder)
    assert routing is not None
    assert (routing.kind, routing.salt) == ("comparison", "s")


def test_what_was_never_started_is_missing(desk: Desk) -> None:
    idea = desk.idea()
    for act in (stop_experiment, check_experiment):
        with pytest.raises(Missing):
            act(desk.workspace, idea, "e9", actor="yui")
    with pytest.raises(Invalid):
        check_experiment(desk.workspace, idea, "e9", actor="yui", said=ClientSaid({"all": -1}))


def test_the_commands_start_check_list_and_stop(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    idea, folder = desk.idea(), str(desk.workspace.folder)
    common = ["--workspace", folder, "--json"]

    def run(*words: str) -> dict[str, Any]:
        assert main(["experiment", *words, *common]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    split = ["--split", "control=0.6,treatment=0.4", "--as", "yui"]
    started = run("start", "e1", "--idea", idea, "--kind", "check", "--model", "ctr", *split)
    assert (started["schema"], started["experiment"], started["stopped_at"]) == (
        "tasuki.experiment_start/1",
        "e1",
        None,
    )
    desk.log(desk.answers(ROWS))
    checked = run("check", "e1", "--sent", f"all={len(ROWS)}", "--days", "2", "--as", "yui")
    assert (checked["schema"], checked["days"]) == ("tasuki.experiment_check/1", 2)
    assert {"name", "passed", "value", "threshold", "explanation", "fault", "said"} == set(checked["probes"][0])
    assert run("list")["experiments"][0]["routed"]
    assert run("stop", "e1", "--as", "yui")["stopped_at"]
    assert main(["experiment", "start", "e2", "--idea", idea, "--kind", "check", "--model", "ctr", "--split", "x"]) == 5
    assert main(["experiment", "check", "e9", "--workspace", folder, "--as", "yui"]) == 5
    assert main(["experiment", "stop", "e1", "--workspace", folder, "--as", "aoi"]) == 4


def hourly(rows: list[Row], **changes: int) -> pa.Table:
    """The client's own counts, an hour a row, of these rows; `failed` of them in the first hour."""
    counts: dict[datetime, int] = {}
    for one in rows:
        hour = datetime.fromisoformat(one["at"]).replace(minute=0, second=0)
        counts[hour] = counts.get(hour, 0) + 1
    failed = [changes.get("failed", 0)] + [0] * (len(counts) - 1)
    return pa.table({"at": list(counts), "sent": list(counts.values()), "failed": failed})


def test_the_clients_table_of_counts_names_the_hours_that_lack_exposures(desk: Desk) -> None:
    folder = desk.workspace.folder / "logs" / "client_counts"
    folder.mkdir()
    pq.write_table(hourly(ROWS), folder / "day-0.parquet")
    idea = desk.idea()
    start_experiment(desk.workspace, idea, desk.request(), actor="yui")
    answers = desk.answers(ROWS)
    desk.log(answers)
    write_outcomes(desk.workspace.folder / "logs" / "outcomes", "day-0", ROWS, [one["exposure"] for one in answers])
    assert failed(check_experiment(desk.workspace, idea, "e1", actor="yui")) == set()
    killed = START + timedelta(hours=3)
    desk.log([one for one in answers if not killed <= one["at"] < killed + timedelta(hours=1)])
    report = check_experiment(desk.workspace, idea, "e1", actor="yui")
    found = next(one for one in report.probes if one.name == "exposures_complete")
    assert (found.fault, "2026-04-01 12:00: 0 of" in found.explanation) == ("exposures_lost", True)
    desk.log([one for number, one in enumerate(answers) if number % 2])
    report = check_experiment(desk.workspace, idea, "e1", actor="yui")
    assert next(one for one in report.probes if one.name == "exposures_complete").fault == "log_sampled"
    desk.log(answers)
    pq.write_table(hourly(ROWS, failed=30), folder / "day-0.parquet")
    report = check_experiment(desk.workspace, idea, "e1", actor="yui")
    assert failed(report) == {"requests_answered"}


def test_a_schedule_attaches_one_report_a_day_and_may_end_with_its_verdict(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    idea, folder = desk.idea(), str(desk.workspace.folder)
    start_experiment(desk.workspace, idea, desk.request(), actor="yui")
    desk.log(desk.answers(ROWS))
    check = ["experiment", "check", "e1", "--workspace", folder, "--as", "yui", "--sent", f"all={len(ROWS)}"]
    assert main([*check, "--daily", "--require-pass"]) == 4
    assert main([*check, "--daily", "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [one["failed"] for one in document["by_day"]] == [[], [], []]
    reports = [one for one in desk.workspace.ledger.state(idea).evidence if one.kind == "check_report"]
    assert len(reports) == 1
    for actor, code in (("nobody", 5), ("aoi", 4)):
        for how in (("--daily",), ("--every", "24")):
            assert main([*check[:5], "--as", actor, *how]) == code, "refused, though a report of today is there"
    stop_experiment(desk.workspace, idea, "e1", actor="yui")
    capsys.readouterr()
    assert main([*check[:-2], "--every", "24"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert len([line for line in told if "e1: does not pass after" in line]) == 1
    assert len([line for line in told if "nothing was asked anew" in line]) == 1
    # The counts of one moment are not those of the next days, and an arm that is not there counted nothing.
    assert main([*check, "--every", "24"]) == 3
    assert "client_counts" in capsys.readouterr().err
    assert main([*check[:-1], "nope=3"]) == 3
    assert "control" in capsys.readouterr().err
    assert main([*check, "--failed", "-1"]) == 3
    for sent in ("all=nan", "all=inf", "all=1.5", "all", "all=-1"):
        assert main([*check[:-1], sent]) == 3
    assert main([*check, "--every", "0"]) == 2


def test_what_is_said_of_one_moment_does_not_go_with_a_check_that_goes_on_for_days(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    idea = desk.idea()
    start_experiment(desk.workspace, idea, desk.request(), actor="yui")
    desk.log(desk.answers(ROWS))
    check = ["experiment", "check", "e1", "--workspace", str(desk.workspace.folder), "--as", "yui", "--every", "24"]
    given = {"--sent": f"all={len(ROWS)}", "--failed": "0", "--days": "2", "--key": "k"}
    for option, value in given.items():
        assert main([*check, option, value]) == 3
        said = " ".join(capsys.readouterr().err.split())
        assert f"{option}: is said of one moment" in said
        assert ("client_counts" in said) == (option in ("--sent", "--failed"))
    assert main([*check, *(word for pair in given.items() for word in pair)]) == 3
    assert capsys.readouterr().err.count("is said of one moment") == len(given), "all of them at once"
    for days in ("nan", "-3", "inf"):
        assert main([*check[:-2], "--days-required", days]) == 3
        assert "days_required" in capsys.readouterr().err
    for hours in ("nan", "inf", "1e9", "-1"):
        assert main([*check[:-1], hours]) == 2
    assert [one for one in desk.workspace.ledger.state(idea).evidence if one.kind == "check_report"] == []


def test_a_check_that_goes_on_asks_again_until_the_experiment_is_stopped_whatever_is_away_for_a_while(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    idea = desk.idea()
    start_experiment(desk.workspace, idea, desk.request(), actor="yui")
    desk.log(desk.answers(ROWS))
    tried, slept = [], []

    def check_now(*where: Any, **said: Any) -> Any:
        tried.append(where)
        if len(tried) == 1:
            raise Unavailable("the log is being written")
        return check_experiment(*where, **said)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            stop_experiment(desk.workspace, idea, "e1", actor="yui")

    monkeypatch.setattr("tasuki.actions.check.check_experiment", check_now)
    monkeypatch.setattr("tasuki.cli.check.time.sleep", sleep)
    words = ["experiment", "check", "e1", "--workspace", str(desk.workspace.folder), "--as", "yui", "--every", "0.5"]
    assert main([*words, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["passed"] is False
    assert slept == [1800.0, 1800.0, 1800.0]
    assert len(tried) == 2, "one that could not, and one report a day"
    assert "could not be checked: the log is being written" in said.err
    assert said.err.count("does not pass after") == 3
    reports = [one for one in desk.workspace.ledger.state(idea).evidence if one.kind == "check_report"]
    assert len(reports) == 1


def test_a_probe_that_was_taken_out_is_told_and_not_asked(desk: Desk) -> None:
    (desk.workspace.folder / "playbook" / "check.toml").write_text('not_asked = ["guardrail"]\n', encoding="utf-8")
    report = desk.check(desk.answers(ROWS))
    assert report.passed
    assert "guardrail" not in {one.name for one in report.probes}
    assert report.incidents == ("not asked, as playbook/check.toml says: guardrail",)
    (desk.workspace.folder / "playbook" / "check.toml").write_text('not_asked = ["winning"]\n', encoding="utf-8")
    with pytest.raises(Invalid, match="winning"):
        read_thresholds(desk.workspace)


def test_a_training_job_that_was_left_unfinished_is_named(desk: Desk) -> None:
    job = desk.workspace.folder / "runs" / "unfinished" / "0123456789abcdef"
    job.mkdir(parents=True)
    began = (START + timedelta(hours=5)).isoformat()
    said = {"run": "run-1", "began": began, "attempts": 3, "pid": 2**22 + 1, "model": "ctr"}
    (job / "state.json").write_text(json.dumps(said), encoding="utf-8")
    (job / "log.txt").write_text("attempt 3 begins\nMemoryError: 4 GB\n", encoding="utf-8")
    report = desk.check(desk.answers(ROWS))
    found = next(one for one in report.probes if one.name == "training_on_schedule")
    assert failed(report) == {"training_on_schedule"}
    assert (found.fault, "MemoryError: 4 GB" in found.explanation) == ("training_failed", True)
