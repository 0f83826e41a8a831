"""The default answer of a model: declared with its reason, given when nothing else can be, logged and counted."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import model_desk
from tasuki.actions.artifacts import read_version, store_of
from tasuki.actions.models import publish_model, roll_back_model, train_model
from tasuki.actions.serving_state import what_serves
from tasuki.actions.workspace import Workspace
from tasuki.clock import system_clock
from tasuki.errors import Invalid
from tasuki.experiments.check import AnswersSeen, ArmDesign, Seen, Thresholds, run_probes
from tasuki.experiments.routing import RoutedArm, Routing
from tasuki.models import DefaultAnswer
from tasuki.models.file import check_model_file, load_model_file
from tasuki.serving.answer import answer_columns, answer_row
from tasuki.serving.plan import Slot, plan_of
from tasuki.serving.request import Asked, AskedColumns, read_body

DECLARED = DefaultAnswer(0.031, "the click rate of March")
FEATURES = {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z"}
ROW = {"unit": "u1", "features": FEATURES}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path / "w")
    yield made
    made.close()


def declared(workspace: Workspace, name: str, default: str, c: float = 1.0) -> str:
    """A version whose model file declares a default answer."""
    path = model_desk.write_model(workspace, name, model_desk.CHAMPION, c)
    text = path.read_text(encoding="utf-8").replace("import Model,", "import DefaultAnswer, Model,")
    path.write_text(text.replace("    buckets=", f"    default={default},\n    buckets="), encoding="utf-8")
    return train_model(workspace, path, actor="ren").version


def spoil(workspace: Workspace, version: str) -> None:
    path = workspace.folder / "artifacts" / "ctr" / "versions" / version / "weights.npy"
    path.write_bytes(path.read_bytes()[:-8])


def test_service_that_cannot_load_its_model_gives_the_default_and_says_and_logs_why(workspace: Workspace) -> None:
    version = declared(workspace, "one", 'DefaultAnswer(0.031, "the click rate of March")')
    publish_model(workspace, "ctr", version, actor="sota")
    spoil(workspace, version)
    service = model_desk.start_service(workspace.folder, "--model", "ctr")
    try:
        reason = "parameters_unavailable; default: the click rate of March"
        status, said = service.score(ROW)
        assert (status, said["score"], said["version"], said["fallback"], said["reason"]) == (
            200, 0.031, None, True, reason,
        )  # fmt: skip
        _, rows = service.score({"rows": [ROW, ROW]})
        assert {(one["score"], one["reason"]) for one in rows["answers"]} == {(0.031, reason)}
        _, table = service.score({"units": ["a", "b"], "columns": {name: [one] * 2 for name, one in FEATURES.items()}})
        assert (table["scores"], table["reasons"], table["versions"]) == ([0.031] * 2, [reason] * 2, [None] * 2)
        health = service.health()["models"]["ctr"]
        assert health["default"] == {"value": 0.031, "reason": "the click rate of March"}
        # The next publication has another, and takes over while it answers.
        good = declared(workspace, "two", 'DefaultAnswer(0.031, "the click rate of March")', c=0.5)
        publish_model(workspace, "ctr", good, actor="sota", default=DefaultAnswer(0.04, "of April"))
        service.wait(lambda told: told["models"]["ctr"]["arms"]["control"]["version"] == good)
        assert service.score(ROW)[1]["version"] == good
        # Published again with another default only: the version is the same, and the default is exchanged.
        publish_model(workspace, "ctr", good, actor="sota", default=DefaultAnswer(0.05, "of May"))
        service.wait(lambda told: told["models"]["ctr"]["default"] == {"value": 0.05, "reason": "of May"})
    finally:
        assert service.stop() == 0
    logged = model_desk.exposures(workspace.folder)
    defaults = [one for one in logged if one["version"] is None]
    assert {(one["score"], one["fallback"], one["reason"]) for one in defaults} == {(0.031, True, reason)}
    assert len(defaults) == 5


def test_publication_counts_before_the_model_file_and_a_rollback_brings_its_versions_default_back(
    workspace: Workspace,
) -> None:
    one = declared(workspace, "one", 'DefaultAnswer(0.031, "the click rate of March")')
    two = declared(workspace, "two", "None", c=0.5)
    assert read_version(store_of(workspace), "ctr", one).default == DECLARED
    assert publish_model(workspace, "ctr", one, actor="sota").default == DECLARED
    said = DefaultAnswer(0.5, "for a test")
    assert publish_model(workspace, "ctr", one, actor="sota", default=said).default == said
    assert publish_model(workspace, "ctr", two, actor="sota").default is None
    assert what_serves(workspace).models[0].channels[0].default is None
    assert roll_back_model(workspace, "ctr", actor="sota").default == said
    assert what_serves(workspace).models[0].channels[0].default == said
    pointer = json.loads((workspace.folder / "artifacts" / "ctr" / "channels" / "champion.json").read_text())
    assert pointer["default"] == {"value": 0.5, "reason": "for a test"}
    assert ["default" in one for one in pointer["history"]] == [True, True, False, True]


@pytest.mark.parametrize(
    ("default", "where"),
    [
        ('DefaultAnswer(1.2, "too much")', "default.value"),
        ('DefaultAnswer(float("nan"), "no number")', "default.value"),
        ('DefaultAnswer("0.1", "a text")', "default.value"),
        ('DefaultAnswer(0.1, "  ")', "default.reason"),
        ('DefaultAnswer(0.1, "two\\nlines")', "default.reason"),
        ("0.1", "default"),
    ],
)
def test_a_default_that_cannot_be_answered_is_a_fault_with_its_line(
    workspace: Workspace, default: str, where: str
) -> None:
    with pytest.raises(Invalid) as refused:
        declared(workspace, "bad", default)
    line = (workspace.folder / "models" / "bad.py").read_text().splitlines().index(f"    default={default},") + 1
    assert [one.where for one in refused.value.faults] == [f"{workspace.folder}/models/bad.py:{line} {where}"]


def test_arguments_of_a_default_that_are_missing_or_unknown_are_named(workspace: Workspace) -> None:
    path = model_desk.write_model(workspace, "odd", model_desk.CHAMPION)
    text = path.read_text().replace("    buckets=", "    default=DefaultAnswer(value=0.1, why='x'),\n    buckets=")
    path.write_text(text)
    with pytest.raises(Invalid) as refused:
        load_model_file(path)
    assert ["lacks reason" in one.what or "knows no why" in one.what for one in refused.value.faults] == [True, True]
    with pytest.raises(Invalid, match="default"):
        publish_model(workspace, "ctr", "0" * 16, actor="sota", default=DefaultAnswer(-0.1, "below"))
    check_model_file(load_model_file(model_desk.write_model(workspace, "fine", model_desk.CHAMPION)))


class Broken:
    """A scorer that fails in every way."""

    def score_row(self, row: Any) -> float:
        raise ZeroDivisionError

    def score_columns(self, columns: Any) -> Any:
        raise ZeroDivisionError

    def from_values(self, names: Any) -> Any:
        return self.score_row


def test_model_that_fails_gives_the_default_of_control_or_of_the_first_arm_that_has_one(workspace: Workspace) -> None:
    version = declared(workspace, "one", "None")
    artifact = replace(read_version(store_of(workspace), "ctr", version), scorer=Broken())  # type: ignore[arg-type]
    arms = (RoutedArm("control", 0.5, "champion", "artifacts"), RoutedArm("treatment", 0.5, "challenger", "artifacts"))
    routing = Routing("ctr", "e", "check", "e", arms)
    slot = Slot("", "champion", "artifacts", artifact, system_clock(), "serving")
    for control, treatment, expected in (
        (DECLARED, DefaultAnswer(0.9, "not this"), (0.031, "model_failed; default: the click rate of March")),
        (None, DECLARED, (0.031, "model_failed; default: the click rate of March")),
        (None, None, (0.0, "model_failed")),
    ):
        slots = {"control": replace(slot, default=control), "treatment": replace(slot, default=treatment)}
        plan = plan_of(routing, slots)
        for unit in ("u1", "u2", "u3", "u4"):
            answer = answer_row(plan, Asked(unit, dict(FEATURES)))
            assert (answer.score, answer.reason, answer.version, answer.fallback) == (*expected, None, True)
        body = {"units": ["u1", "u2", "u3", "u4"], "columns": {name: [one] * 4 for name, one in FEATURES.items()}}
        asked = read_body(plan, json.dumps(body).encode())
        assert isinstance(asked, AskedColumns)
        together = answer_columns(plan, asked, asked.checked)
        assert set(zip(together.scores, together.reasons, strict=True)) == {expected}


def test_fallback_probe_counts_default_answers_and_names_why_nothing_else_answered() -> None:
    reason = "parameters_unavailable; default: the click rate of March"
    seen = Seen(
        answers=(
            AnswersSeen("control", "v1", False, "", 970, 9),
            AnswersSeen("control", None, True, reason, 30, 9),
            AnswersSeen("treatment", "v1", True, "feature_missing: app", 5, 9),
            AnswersSeen("treatment", "v2", False, "", 995, 9),
        ),
        exposures=2_000,
    )
    design = {"control": ArmDesign(0.5, ("v1",)), "treatment": ArmDesign(0.5, ("v2",))}
    found = next(one for one in run_probes(design, seen, Thresholds()) if one.name == "fallback_rate")
    assert (found.passed, found.fault) == (False, "parameters_unavailable")
    assert "control 3.00% (30 of them default answers, which no version gave), treatment 0.50%" in found.explanation
    assert reason in found.explanation
