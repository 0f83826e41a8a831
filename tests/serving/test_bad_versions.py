"""Versions that must not come in: one that hangs, one whose schema breaks the callers; and that the console says so."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import model_desk
from tasuki.actions.models import publish_model, train_model
from tasuki.actions.workspace import Workspace
from tasuki.clock import system_clock
from tasuki.serving import follower
from tasuki.serving.watch import Watcher
from tasuki.store.artifacts import ArtifactStore
from tasuki.store.files import replace_file

SENT = {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = model_desk.new_workspace(tmp_path_factory.mktemp("bad") / "w")
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    yield workspace
    workspace.close()


@pytest.fixture
def service(workspace: Workspace) -> Iterator[model_desk.Running]:
    service = model_desk.start_service(workspace.folder)
    yield service
    service.stop()


def control(health: Any) -> Any:
    return health["models"]["ctr"]["arms"]["control"]


def console(workspace: Workspace) -> str:
    return (workspace.folder / "serving" / "service.log").read_text()


def trained(workspace: Workspace, name: str, features: str, c: float = 1.0) -> str:
    path = model_desk.write_model(workspace, name, features, c)
    return train_model(workspace, path, actor="ren").version


def test_version_that_needs_what_callers_do_not_send_waits_until_they_do(
    workspace: Workspace, service: model_desk.Running
) -> None:
    champion = control(service.health())["version"]
    for place in range(5):
        assert service.score({"unit": f"u{place}", "features": SENT})[0] == 200
    newer = trained(workspace, "needs", model_desk.CHALLENGER)
    publish_model(workspace, "ctr", newer, actor="sota")
    arm = control(service.wait(lambda health: control(health)["state"] == "last_good"))
    assert arm["version"] == champion
    assert newer in arm["error"]
    assert "minutes_since_last" in arm["error"]
    assert service.score({"unit": "u", "features": SENT})[1]["version"] == champion
    assert "minutes_since_last" in console(workspace)
    for place in range(40):
        said = service.score({"unit": f"u{place}", "features": {**SENT, "minutes_since_last": 3.0}})
        assert (said[0], said[1]["fallback"]) == (200, False)
    assert control(service.wait(lambda health: control(health)["version"] == newer))["state"] == "serving"
    publish_model(workspace, "ctr", champion, actor="sota")
    service.wait(lambda health: control(health)["version"] == champion)


def test_broken_pointer_is_said_on_the_console_and_what_goes_on(
    workspace: Workspace, service: model_desk.Running
) -> None:
    path = workspace.folder / "artifacts" / "ctr" / "channels" / "champion.json"
    before = path.read_bytes()
    replace_file(path, b"{")
    arm = control(service.wait(lambda health: control(health)["state"] == "last_good"))
    said = console(workspace).splitlines()[-1]
    assert "is no channel pointer" in said
    assert f"{arm['version']} goes on" in said
    replace_file(path, before)
    service.wait(lambda health: health["status"] == "ok")


def test_service_that_begins_with_a_broken_pointer_says_that_nothing_answers(
    tmp_path: Path, workspace: Workspace
) -> None:
    other = model_desk.new_workspace(tmp_path / "w")
    model_desk.train_and_publish(other, "champion", model_desk.CHAMPION, "champion")
    other.close()
    (other.folder / "artifacts" / "ctr" / "channels" / "champion.json").write_text("{")
    service = model_desk.start_service(other.folder, "--model", "ctr")
    assert service.stop() == 0
    assert "nothing answers" in console(other)


@pytest.mark.parametrize("part", ["load", "history"])
def test_store_that_hangs_holds_nobody_up_and_its_version_never_serves(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    slow = trained(workspace, f"slow-{part}", model_desk.CHAMPION, c=0.5)
    path = workspace.folder / "artifacts" / "ctr" / "channels" / "champion.json"
    before, hanging, going_on = path.read_bytes(), threading.Event(), threading.Event()
    really = getattr(ArtifactStore, part)

    def hang(store: ArtifactStore, model: str, name: str) -> Any:
        if hanging.is_set() and name in (slow, "champion"):
            going_on.wait(20)
        return really(store, model, name)

    monkeypatch.setattr(ArtifactStore, part, hang)
    monkeypatch.setattr(follower, "PATIENCE_S", 0.3)
    said: list[str] = []
    watcher = Watcher(workspace.folder, "artifacts", None, system_clock, said.append)
    watcher.start()
    try:
        champion = watcher.plans["ctr"].control.artifact
        assert champion is not None
        hanging.set()
        pointer = {"version": slow, "at": "2026-04-01T00:00:00.000000Z", "by": "x"}
        replace_file(path, json.dumps({**pointer, "history": [pointer]}).encode())
        wait(lambda: watcher.plans["ctr"].control.state == "last_good")
        slot = watcher.plans["ctr"].control
        assert slot.artifact is champion
        assert "has been loading for more than" in slot.error
        replace_file(path, before)
        going_on.set()
        wait(lambda: watcher.plans["ctr"].control.state == "serving")
        assert watcher.plans["ctr"].control.artifact is champion
        assert any("loading" in line and f"{champion.version} goes on" in line for line in said)
    finally:
        replace_file(path, before)
        going_on.set()
        watcher.stop()


def test_trouble_of_the_watcher_itself_is_said_once_and_shown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    watcher = Watcher(workspace.folder, "artifacts", None, system_clock, said.append)
    watcher.start()
    try:
        plans = watcher.plans

        def broken(routing: object) -> None:
            raise RuntimeError("out of order")

        with monkeypatch.context() as patched:
            patched.setattr(watcher, "_plan", broken)
            wait(lambda: watcher.trouble == "out of order")
            time.sleep(0.5)
            assert watcher.plans is plans
        assert [line for line in said if "out of order" in line] == [
            "what serves cannot be brought up to date: out of order"
        ]
        wait(lambda: watcher.trouble == "")
    finally:
        watcher.stop()


def wait(done: Any) -> None:
    until = time.monotonic() + 8
    while not done():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_console_names_the_files_that_cannot_be_read_and_tells_the_end(workspace: Workspace) -> None:
    running = model_desk.start_service(workspace.folder)
    store = ArtifactStore(workspace.folder / "artifacts")
    now = store.current("ctr", "champion")
    assert now is not None
    files = {**store.load("ctr", now), "features.json": b"[]"}
    broken = store.put("ctr", files)
    store.publish("ctr", "champion", broken, system_clock(), "sota")
    running.wait(lambda health: control(health)["state"] == "last_good")
    assert running.score({"unit": "u", "features": {**SENT, "slot": "top", "minutes_since_last": 1.0}})[0] == 200
    store.publish("ctr", "champion", now, system_clock(), "sota")
    assert running.stop() == 0
    said = console(workspace)
    assert f"artifacts/ctr/versions/{broken}: " in said
    assert "features.json" in said
    assert "stopped; it wrote 1 exposures to the log" in said.splitlines()[-1]
