"""Artifacts on S3 (moto's server over real HTTP) and another fsspec store: whole or not at all, no lost publisher."""

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tasuki.errors import Invalid, Missing, Unavailable
from tasuki.store.artifacts import MANIFEST, ArtifactStore
from tasuki.store.places import ObjectPlace

AT = datetime(2026, 4, 1, tzinfo=UTC)
FILES = {"weights.npy": bytes(range(256)) * 4, "schema.json": b"{}"}


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A bucket on moto's server; the process finds it as it would find any S3: by the environment."""
    pytest.importorskip("s3fs", reason="the extra s3 is not installed").S3FileSystem.clear_instance_cache()
    server_of = pytest.importorskip("moto.server", reason="moto's server is not installed")
    pytest.importorskip("s3fs", reason="the extra s3 is not installed")
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="models")
        yield client
    server.stop()


@pytest.fixture(params=["s3", "memory"])
def store(request: pytest.FixtureRequest) -> ArtifactStore:
    if request.param == "s3":
        request.getfixturevalue("s3")
    return ArtifactStore(f"{request.param}://models/{uuid4().hex}")


def place_of(store: ArtifactStore) -> ObjectPlace:
    place = store._place
    assert isinstance(place, ObjectPlace)
    return place


def test_what_is_put_is_loaded_and_listed(store: ArtifactStore) -> None:
    one, two = store.put("ctr", FILES), store.put("ctr", {"schema.json": b"[]"})
    assert store.put("ctr", FILES) == one
    assert store.load("ctr", one) == FILES
    assert set(store.versions("ctr")) == {one, two}
    assert store.models() == ("ctr",)
    assert ArtifactStore(store.location).load("ctr", two) == {"schema.json": b"[]"}


def test_channel_moves_forth_and_back_and_remembers(store: ArtifactStore) -> None:
    one, two = store.put("ctr", FILES), store.put("ctr", {"schema.json": b"[]"})
    assert store.current("ctr", "champion") is None
    assert store.publish("ctr", "champion", one, AT, "sota") is None
    assert store.publish("ctr", "champion", two, AT, "yui") == one
    assert store.publish("ctr", "champion", one, AT, "sota") == two
    assert store.current("ctr", "champion") == one
    assert [pointer.version for pointer in ArtifactStore(store.location).history("ctr", "champion")] == [one, two, one]
    assert store.channels("ctr") == ("champion",)


def test_upload_that_breaks_off_is_never_seen_and_can_be_repeated(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(store)
    whole = place._system.pipe_file

    def broken(path: str, content: bytes, **more: Any) -> None:
        if path.endswith(MANIFEST):
            raise ConnectionError("the line is cut")
        whole(path, content, **more)

    store.put("ctr", {"other.json": b"1"})
    with monkeypatch.context() as patch:
        patch.setattr(place._system, "pipe_file", broken, raising=False)
        with pytest.raises(Unavailable, match="line is cut"):
            store.put("ctr", FILES)
    assert len(store.versions("ctr")) == 1
    half = next(name for name in place.entries("ctr", "versions") if name not in store.versions("ctr"))
    with pytest.raises(Invalid, match="never complete"):
        store.publish("ctr", "champion", half, AT, "sota")
    assert store.put("ctr", FILES) == half
    assert store.load("ctr", half) == FILES


def test_damage_is_found_and_named(store: ArtifactStore) -> None:
    version = store.put("ctr", FILES)
    place = place_of(store)
    path = place._path("ctr", "versions", version)
    for name, content in (("weights.npy", b"xx"), ("extra.pkl", b"x"), ("schema.json", b"[]")):
        before = place.read("ctr", "versions", version, name)
        place._system.pipe_file(f"{path}/{name}", content)
        with pytest.raises(Invalid, match=name):
            store.load("ctr", version)
        if before is None:
            place._system.rm_file(f"{path}/{name}")
        else:
            place._system.pipe_file(f"{path}/{name}", before)
    assert store.load("ctr", version) == FILES


def test_version_is_the_hash_of_the_manifest(store: ArtifactStore) -> None:
    version = store.put("ctr", FILES)
    manifest = place_of(store).read("ctr", "versions", version, MANIFEST)
    assert manifest is not None
    assert hashlib.sha256(manifest).hexdigest().startswith(version)
    assert set(json.loads(manifest)["files"]) == set(FILES)


def test_publishing_on_s3_at_the_same_time_forgets_nobody(s3: Any) -> None:
    store = ArtifactStore(f"s3://models/{uuid4().hex}")
    version = store.put("ctr", FILES)
    people = [f"p{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda by: ArtifactStore(store.location).publish("ctr", "champion", version, AT, by), people))
    assert sorted(one.by for one in store.history("ctr", "champion")) == sorted(people)


def test_place_that_is_not_there_or_does_not_answer_is_said(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for location in ("s3://models/nothing-here", "s3://no-such-bucket/x", "memory://nowhere"):
        with pytest.raises((Missing, Unavailable), match=location):
            ArtifactStore(location).current("ctr", "champion")
    with pytest.raises(Unavailable, match="no-such-bucket"):
        ArtifactStore("s3://no-such-bucket/x").put("ctr", FILES)
    with pytest.raises(Unavailable, match="cannot be reached"):
        ArtifactStore("nosuch://models")


def served_by(watcher: Any, wanted: str) -> str | None:
    """The version that serves, once it is the wanted one or some seconds have passed: versions load in a thread."""
    version = None
    for _ in range(200):
        watcher.look()
        plan = watcher.plans.get("ctr")
        version = plan.control.artifact.version if plan and plan.control.artifact else None
        if version == wanted:
            break
        time.sleep(0.05)
    return version


def test_workspace_trains_publishes_and_serves_from_s3(s3: Any, tmp_path: Path) -> None:
    import model_desk
    from tasuki.actions.artifacts import describe_models
    from tasuki.actions.models import roll_back_model
    from tasuki.clock import system_clock
    from tasuki.serving.watch import Watcher
    from tasuki.settings.workspace import open_workspace

    location = f"s3://models/{uuid4().hex}"
    model_desk.new_workspace(tmp_path / "w").close()
    settings = tmp_path / "w" / "tasuki.toml"
    settings.write_text(settings.read_text().replace('artifacts = "artifacts"', f'artifacts = "{location}"'))
    workspace = open_workspace(tmp_path / "w")
    try:
        one = model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
        two = model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion", c=0.5)
        watcher = Watcher(workspace.folder, location, None, system_clock)
        assert served_by(watcher, two) == two
        roll_back_model(workspace, "ctr", actor="sota")
        assert served_by(watcher, one) == one
        assert [entry.channels for entry in describe_models(workspace)] == [{"champion": one}]
        assert not any((workspace.folder / "artifacts").iterdir())
        watcher.stop()
    finally:
        workspace.close()
