"""A version that must not come in does so in no worker: each keeps the last good one, and says so."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import model_desk
from tasuki.actions.models import train_model
from tasuki.actions.workspace import Workspace
from tasuki.store.artifacts import ArtifactStore
from tasuki.store.files import replace_file

SENT = {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z"}
WORKERS = 3


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path_factory.mktemp("workers") / "w")
    model_desk.train_and_publish(made, "champion", model_desk.CHAMPION, "champion")
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(workspace: Workspace) -> Iterator[model_desk.Running]:
    service = model_desk.start_service(workspace.folder, "--workers", str(WORKERS))
    service.wait(lambda health: health["status"] == "ok")
    yield service
    service.stop()


def told_by_each(service: model_desk.Running, done: Callable[[Any], bool]) -> dict[int, Any]:
    """The health as every worker tells it once it is as it should be. Which one answers a connection is by chance."""
    found: dict[int, Any] = {}
    until = time.monotonic() + 30
    while len(found) < WORKERS:
        assert time.monotonic() < until, found
        health = service.health()
        if done(health):
            found[health["worker"]["number"]] = health
    return found


def control(health: Any) -> Any:
    return health["models"]["ctr"]["arms"]["control"]


def made(workspace: Workspace, features: str, estimator: str) -> str:
    path = model_desk.write_model(workspace, "bad", features)
    text = path.read_text().replace(
        "sklearn.linear_model import LogisticRegression", "sklearn import ensemble, linear_model"
    )
    path.write_text(text.replace("LogisticRegression(C=1.0, max_iter=50)", estimator))
    return train_model(workspace, path, actor="ren").version


def corrupt(workspace: Workspace) -> str:
    version = made(workspace, model_desk.CHAMPION, "linear_model.LogisticRegression(C=0.1)")
    weights = workspace.folder / "artifacts" / "ctr" / "versions" / version / "weights.npy"
    content = bytearray(weights.read_bytes())
    content[-9] ^= 1
    weights.write_bytes(content)
    return version


def half_written(workspace: Workspace) -> str:
    version = made(workspace, model_desk.CHAMPION, "linear_model.LogisticRegression(C=0.2)")
    (workspace.folder / "artifacts" / "ctr" / "versions" / version / "features.json").unlink()
    return version


def slow(workspace: Workspace) -> str:
    """A version that is whole, and takes its time to be proved: each of many examples goes through a large forest."""
    store = ArtifactStore(workspace.folder / "artifacts")
    files = store.load("ctr", made(workspace, model_desk.CHAMPION, "ensemble.RandomForestClassifier(60, max_depth=2)"))
    golden = json.loads(files["golden.json"])
    golden["examples"] *= 1 + 800 // len(golden["examples"])
    return store.put("ctr", {**files, "golden.json": json.dumps(golden).encode()})


def breaking(workspace: Workspace) -> str:
    return made(workspace, model_desk.CHALLENGER, "linear_model.LogisticRegression(C=0.3)")


BAD: dict[str, tuple[Callable[[Workspace], str], str]] = {
    "corrupt": (corrupt, "weights.npy"),
    "half-written": (half_written, "features.json"),
    "breaks the schema": (breaking, "minutes_since_last"),
    "slow": (slow, "has been loading for more than 3 s"),
}


def point(workspace: Workspace, content: bytes) -> None:
    replace_file(workspace.folder / "artifacts" / "ctr" / "channels" / "champion.json", content)


@pytest.mark.parametrize("kind", BAD)
def test_no_worker_takes_a_bad_version_in_and_each_says_what_goes_on(
    workspace: Workspace, service: model_desk.Running, kind: str
) -> None:
    make, why = BAD[kind]
    store = ArtifactStore(workspace.folder / "artifacts")
    good = store.current("ctr", "champion")
    assert good is not None
    told_by_each(service, lambda health: health["status"] == "ok")
    # Each worker judges by the requests that it answered itself.
    for unit in range(60 * WORKERS):
        assert service.score({"unit": f"u{unit}", "features": SENT})[0] == 200
    before, bad = (workspace.folder / "artifacts" / "ctr" / "channels" / "champion.json").read_bytes(), make(workspace)
    pointer = {"version": bad, "at": "2026-04-01T00:00:00.000000Z", "by": "x"}
    try:
        point(workspace, json.dumps({**pointer, "history": [pointer]}).encode())
        said = told_by_each(service, lambda health: control(health)["state"] == "last_good")
        for number, health in said.items():
            assert (control(health)["version"], health["status"]) == (good, "degraded"), number
            assert bad in control(health)["error"]
            assert why in control(health)["error"]
        answers = [service.score({"unit": f"u{unit}", "features": SENT}) for unit in range(30)]
        assert {(status, one["version"], one["fallback"]) for status, one in answers} == {(200, good, False)}
        ready = [service.ask("GET", "/ready") for _ in range(20)]
        assert {status for status, _ in ready} == {200}, "it goes on to answer"
        for _, one in ready:
            [behind] = one["not_newest"]
            assert (behind["model"], behind["arm"]) == ("ctr", "control")
            assert why in behind["error"]
    finally:
        point(workspace, before)
    for health in told_by_each(service, lambda health: health["status"] == "ok").values():
        assert (control(health)["state"], control(health)["version"]) == ("serving", good)
    assert service.ask("GET", "/ready") == (200, {"ready": True})
