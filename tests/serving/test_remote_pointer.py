"""A service whose artifacts lie on S3: looks seldom and cheaply, and goes on when the store is killed."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import model_desk
from tasuki.actions.artifacts import store_of
from tasuki.actions.models import publish_model
from tasuki.clock import system_clock
from tasuki.serving.follower import JITTER, LONGEST_PAUSE_S, POLL_S, Follower, Pauses, Pointer
from tasuki.settings.workspace import open_workspace
from tasuki.store.places import ObjectPlace

ROW = {"unit": "u1", "features": {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z"}}
SERVER = "from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"


def s3_server(port: int) -> subprocess.Popen[bytes]:
    """Moto's server as a process that can be killed, with an empty bucket."""
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    command = [sys.executable, "-c", SERVER.format(port=port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while True:
        try:
            boto3.client("s3").create_bucket(Bucket="models")
        except Exception:
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.1)
        else:
            return process


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    pytest.importorskip("moto.server", reason="moto's server is not installed")
    s3fs = pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    port = model_desk.free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # What is opened keeps the address it was opened with; each test has a server of its own.
    s3fs.S3FileSystem.clear_instance_cache()
    yield port
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def server(port: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [s3_server(port)]
    yield started
    for one in started:
        one.kill()
        one.wait()


def workspace_at(folder: Path, location: str) -> Any:
    model_desk.new_workspace(folder).close()
    settings = folder / "tasuki.toml"
    settings.write_text(settings.read_text().replace('artifacts = "artifacts"', f'artifacts = "{location}"'))
    return open_workspace(folder)


def control(health: Any) -> Any:
    return health["models"]["ctr"]["arms"]["control"]


@pytest.mark.slow
def test_service_goes_on_while_s3_is_killed_and_follows_it_again_when_it_is_back(
    server: list[subprocess.Popen[bytes]], port: int, tmp_path: Path
) -> None:
    workspace = workspace_at(tmp_path / "w", "s3://models/team")
    one = model_desk.train_and_publish(workspace, "one", model_desk.CHAMPION, "champion")
    files = store_of(workspace).load("ctr", one)
    service = model_desk.start_service(workspace.folder, "--remote-poll-s", "0.3")
    try:
        assert service.score(ROW)[1]["version"] == one
        server[-1].kill()
        server[-1].wait()
        health = service.wait(lambda told: control(told)["state"] == "last_good", 60)
        assert control(health)["version"] == one
        assert control(health)["error"]
        assert health["status"] == "degraded"
        slowest = 0.0
        for _ in range(40):
            began = time.monotonic()
            status, said = service.score(ROW)
            slowest = max(slowest, time.monotonic() - began)
            assert (status, said["version"], said["fallback"]) == (200, one, False)
        assert slowest < 1.0  # nobody waits for the store
        server.append(s3_server(port))  # it comes back with nothing in it
        service.score(ROW)
        assert store_of(workspace).put("ctr", files) == one
        store_of(workspace).publish("ctr", "champion", one, system_clock(), "sota")
        two = model_desk.train_model(
            workspace, model_desk.write_model(workspace, "two", model_desk.CHAMPION, 0.5), actor="ren"
        ).version
        publish_model(workspace, "ctr", two, actor="sota")
        health = service.wait(lambda told: control(told)["version"] == two, 60)
        assert (control(health)["state"], health["status"]) == ("serving", "ok")
        assert service.score(ROW)[1]["version"] == two
    finally:
        assert service.stop() == 0
        workspace.close()


def test_pointer_that_does_not_change_costs_one_request_for_its_head_a_look(
    server: list[subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspace_at(tmp_path / "w", "s3://models/team")
    one = model_desk.train_and_publish(workspace, "one", model_desk.CHAMPION, "champion")
    asked: Counter[str] = Counter()

    def counted(name: str) -> Any:
        really = getattr(ObjectPlace, name)

        def call(self: ObjectPlace, *names: str) -> Any:
            asked[name] += 1
            return really(self, *names)

        return call

    for name in ("mark", "read", "entries"):
        monkeypatch.setattr(ObjectPlace, name, counted(name))
    follower = Follower(Pointer(workspace.folder, "s3://models/team", "ctr", "champion"), system_clock, 0.2)
    follower.start(10)
    try:
        assert follower.slot.artifact is not None
        asked.clear()
        time.sleep(2.1)
        looks = asked["mark"]
        assert 5 <= looks <= 15  # about ten looks of 0.2 s
        assert (asked["read"], asked["entries"]) == (0, 0)
        two = model_desk.train_and_publish(workspace, "two", model_desk.CHAMPION, "champion", c=0.5)
        until = time.monotonic() + 10
        while follower.slot.artifact is None or follower.slot.artifact.version != two:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert one != two
    finally:
        follower.stop()
        workspace.close()


def test_looks_at_an_object_store_are_seldom_scattered_and_rarer_while_it_is_away() -> None:
    pauses = [Pauses("s3://models/team", 2.0).next_s(0) for _ in range(200)]
    assert min(pauses) >= 2.0 * (1 - JITTER)
    assert max(pauses) <= 2.0 * (1 + JITTER)
    assert max(pauses) - min(pauses) > 0.5  # workers do not ask at one moment
    away = [max(Pauses("s3://x", 2.0).next_s(failures) for _ in range(50)) for failures in range(6)]
    assert away == sorted(away[:3]) + away[3:]
    assert max(away) <= LONGEST_PAUSE_S * (1 + JITTER)
    assert Pauses("s3://x", 60.0).next_s(5) >= 60.0 * (1 - JITTER)  # what was asked for is never made more often
    assert {Pauses("artifacts", 2.0).next_s(failures) for failures in range(5)} == {POLL_S}
