"""An outage and its end: what is asked while nothing can answer keeps no repaired version out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import model_desk
from tasuki.actions.workspace import Workspace
from tasuki.experiments.routing import RoutedArm, Routing
from tasuki.store.routing import save_routing

SENT = {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z"}
JUNK = {"oops": 1}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = model_desk.new_workspace(tmp_path / "w")
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    yield workspace
    workspace.close()


def arm(health: Any, name: str = "control") -> Any:
    return health["models"]["ctr"]["arms"][name]


def ask(service: model_desk.Running, requests: int) -> set[int]:
    """One request in twenty is junk."""
    return {
        service.score({"unit": f"u{place}", "features": SENT if place % 20 else JUNK})[0] for place in range(requests)
    }


def test_a_repaired_version_serves_again_whatever_was_asked_meanwhile(workspace: Workspace) -> None:
    versions = workspace.folder / "artifacts" / "ctr" / "versions"
    away = workspace.folder / "away"
    versions.rename(away)
    service = model_desk.start_service(workspace.folder, "--model", "ctr")
    try:
        ask(service, 60)
        assert service.score({"unit": "u1", "features": SENT})[1]["version"] is None
        away.rename(versions)
        service.wait(lambda health: arm(health)["state"] == "serving")
        assert service.score({"unit": "u1", "features": SENT})[1]["fallback"] is False
        assert service.score({"unit": "u1", "features": JUNK})[0] == 400
    finally:
        assert service.stop() == 0


def test_an_arm_comes_in_though_names_that_nobody_knows_were_let_pass_before(workspace: Workspace) -> None:
    arms = (RoutedArm("control", 0.5, "champion", "artifacts"), RoutedArm("treatment", 0.5, "challenger", "artifacts"))
    save_routing(workspace.folder, Routing("ctr", "e1", "check", "e1", arms))
    service = model_desk.start_service(workspace.folder)
    try:
        for place in range(40):
            assert service.score({"unit": f"u{place}", "features": {**SENT, "typo": "x"}})[0] == 200
        model_desk.train_and_publish(workspace, "challenger", model_desk.CHALLENGER, "challenger")
        service.wait(lambda health: arm(health, "treatment")["state"] == "serving")
        status, said = service.score({"unit": "u1", "features": {**SENT, "typo": "x"}})
        assert (status, "typo" in json.dumps(said)) == (400, True)
    finally:
        assert service.stop() == 0


def test_wrong_requests_are_refused_by_the_schema_though_the_model_cannot_be_loaded(workspace: Workspace) -> None:
    (version,) = (workspace.folder / "artifacts" / "ctr" / "versions").iterdir()
    weights = (version / "weights.npy").read_bytes()
    (version / "weights.npy").unlink()
    service = model_desk.start_service(workspace.folder, "--model", "ctr")
    try:
        assert arm(service.health())["version"] is None
        status, said = service.score({"unit": "u1", "features": SENT})
        assert (status, said["version"], said["fallback"]) == (200, None, True)
        status, said = service.score({"unit": "u1", "features": {"app": 1.5, "slot": {}, "oops": 1}})
        assert status == 400
        named = {one["where"] for one in said["error"]["faults"]}
        assert named == {"features.slot", "features.at", "features.oops"}
        bad = {"units": ["a", "b"], "columns": {**{name: [one] * 2 for name, one in SENT.items()}, "at": ["x", "y"]}}
        assert service.score(bad)[0] == 400
        assert service.score({"rows": [{"unit": "u", "features": SENT}, {"unit": "u", "features": JUNK}]})[0] == 400
        described = service.ask("GET", "/openapi.json")[1]["components"]["schemas"]["Features.ctr"]
        assert set(described["required"]) == set(SENT)
        (version / "weights.npy").write_bytes(weights)
        service.wait(lambda health: arm(health)["state"] == "serving")
        assert service.score({"unit": "u1", "features": SENT})[1]["fallback"] is False
    finally:
        assert service.stop() == 0
    logged = model_desk.exposures(workspace.folder)
    assert [one["version"] is None for one in logged] == [True, False]


def test_schema_that_is_not_the_versions_own_refuses_nobody(workspace: Workspace) -> None:
    (version,) = (workspace.folder / "artifacts" / "ctr" / "versions").iterdir()
    schema = json.loads((version / "schema.json").read_text())
    schema["inputs"] = [{"name": "else", "type": "number", "nullable": False}]
    (version / "schema.json").write_text(json.dumps(schema))
    service = model_desk.start_service(workspace.folder, "--model", "ctr")
    try:
        assert service.score({"unit": "u1", "features": SENT})[0] == 200
    finally:
        assert service.stop() == 0
