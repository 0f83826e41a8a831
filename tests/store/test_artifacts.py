"""What is loaded is what was put, or nothing: damage of any kind is found and named."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.errors import Invalid, Missing
from tasuki.store.artifacts import MANIFEST, VERSION_LENGTH, ArtifactStore

AT = datetime(2026, 4, 1, tzinfo=UTC)
FILES = {"weights.npy": bytes(range(256)) * 4, "schema.json": b"{}"}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def folder_of(store: ArtifactStore, version: str) -> Path:
    return Path(store.location) / "ctr" / "versions" / version


def test_what_is_put_is_loaded(store: ArtifactStore) -> None:
    version = store.put("ctr", FILES)
    assert store.load("ctr", version) == FILES
    assert store.versions("ctr") == (version,)
    assert store.models() == ("ctr",)


def test_same_content_is_one_version_and_any_other_is_another(store: ArtifactStore) -> None:
    version = store.put("ctr", FILES)
    assert store.put("ctr", dict(reversed(FILES.items()))) == version
    assert store.put("ctr", {**FILES, "schema.json": b"{ }"}) != version
    assert store.put("ctr", {**FILES, "more.json": b"{}"}) != version
    assert store.put("cvr", FILES) != version


def test_version_is_the_hash_of_the_manifest(store: ArtifactStore) -> None:
    version = store.put("ctr", FILES)
    manifest = (folder_of(store, version) / MANIFEST).read_bytes()
    assert hashlib.sha256(manifest).hexdigest()[:VERSION_LENGTH] == version
    listed = json.loads(manifest)["files"]
    assert {name: one["sha256"] for name, one in listed.items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()
    }


def rewrite_manifest(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    document = json.loads((folder / MANIFEST).read_bytes())
    change(document)
    (folder / MANIFEST).write_text(json.dumps(document))


def consistent(folder: Path, change: Callable[[dict[str, object]], None]) -> Path:
    """A manifest that was changed and whose folder was renamed to fit it: only the content can tell."""
    rewrite_manifest(folder, change)
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:VERSION_LENGTH]
    return folder.rename(folder.with_name(digest))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (lambda f: (f / "weights.npy").write_bytes(b"\x01" + FILES["weights.npy"][1:]), "weights.npy"),
    "a truncated file": (lambda f: (f / "weights.npy").write_bytes(FILES["weights.npy"][:-1]), "weights.npy"),
    "an empty file": (lambda f: (f / "schema.json").write_bytes(b""), "schema.json"),
    "a missing file": (lambda f: (f / "schema.json").unlink(), "schema.json"),
    "an extra file": (lambda f: (f / "extra.pkl").write_bytes(b"x"), "extra.pkl"),
    "a link": (
        lambda f: ((f / "schema.json").unlink(), (f / "schema.json").symlink_to(f / "weights.npy")),
        "schema.json",
    ),
    "no manifest": (lambda f: (f / MANIFEST).unlink(), MANIFEST),
    "a broken manifest": (lambda f: (f / MANIFEST).write_bytes(b"{"), MANIFEST),
    "a manifest of other hashes": (
        lambda f: rewrite_manifest(f, lambda d: d["files"]["schema.json"].update(sha256="0" * 64)),  # type: ignore[index]  # a JSON object
        MANIFEST,
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_the_file_is_named(store: ArtifactStore, damage: str) -> None:
    version = store.put("ctr", FILES)
    spoil, named = DAMAGES[damage]
    spoil(folder_of(store, version))
    with pytest.raises(Invalid) as refused:
        store.load("ctr", version)
    assert named in str(refused.value)
    with pytest.raises(Invalid):
        store.publish("ctr", "champion", version, AT, "sota")
    assert store.current("ctr", "champion") is None


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/b", "..", ".hidden", "", "a\\b", MANIFEST])
def test_manifest_that_leaves_its_folder_is_refused(store: ArtifactStore, name: str) -> None:
    version = store.put("ctr", FILES)
    secret = Path(store.location) / "secret"
    secret.write_bytes(b"{}")
    entry = {"sha256": hashlib.sha256(b"{}").hexdigest(), "bytes": 2}
    moved = consistent(folder_of(store, version), lambda d: d["files"].update({name: entry}))  # type: ignore[attr-defined]  # a JSON object
    with pytest.raises(Invalid, match="cannot be trusted"):
        store.load("ctr", moved.name)


def test_manifest_of_another_model_or_format_is_refused(store: ArtifactStore) -> None:
    for change in ({"model": "cvr"}, {"format": "tasuki.artifact/9"}):
        moved = consistent(folder_of(store, store.put("ctr", FILES)), lambda d, one=change: d.update(one))  # type: ignore[misc]  # a default binds it
        with pytest.raises(Invalid, match="cannot be trusted"):
            store.load("ctr", moved.name)


@pytest.mark.parametrize("name", ["../ctr", "a/b", "", ".", "ctr\x00", "x" * 65])
def test_name_that_is_no_name_is_refused(store: ArtifactStore, name: str) -> None:
    version = store.put("ctr", FILES)
    calls: list[Callable[[], object]] = [
        lambda: store.put(name, FILES),
        lambda: store.load(name, version),
        lambda: store.load("ctr", name),
        lambda: store.current(name, "champion"),
        lambda: store.current("ctr", name),
        lambda: store.publish("ctr", name, version, AT, "sota"),
    ]
    for call in calls:
        with pytest.raises(Invalid):
            call()


def test_file_names_that_are_no_names_are_refused_all_at_once(store: ArtifactStore) -> None:
    with pytest.raises(Invalid) as refused:
        store.put("c/tr", {"../a": b"", "b": b"", MANIFEST: b""})
    assert {fault.where for fault in refused.value.faults} == {"../a", MANIFEST, "model"}
    assert not Path(store.location).exists()


def test_absent_version_is_missing_and_says_what_there_is(store: ArtifactStore) -> None:
    version = store.put("ctr", FILES)
    with pytest.raises(Missing, match=version):
        store.load("ctr", "0123456789abcdef")


def test_store_that_is_not_there_is_missing_and_an_unpublished_channel_is_not(store: ArtifactStore) -> None:
    with pytest.raises(Missing, match="no artifact store"):
        store.current("ctr", "champion")
    store.put("ctr", FILES)
    assert store.current("ctr", "champion") is None


def test_channel_remembers_everything_it_pointed_to(store: ArtifactStore) -> None:
    one, two = store.put("ctr", FILES), store.put("ctr", {"schema.json": b"[]"})
    assert store.publish("ctr", "champion", one, AT, "sota") is None
    assert store.publish("ctr", "champion", two, AT, "yui") == one
    assert store.publish("ctr", "champion", one, AT, "sota") == two
    assert store.current("ctr", "champion") == one
    assert [(one.version, one.by) for one in store.history("ctr", "champion")] == [
        (one, "sota"),
        (two, "yui"),
        (one, "sota"),
    ]
    assert store.channels("ctr") == ("champion",)


def test_publishing_at_the_same_time_forgets_nobody(store: ArtifactStore) -> None:
    version = store.put("ctr", FILES)
    people = [f"p{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda by: ArtifactStore(store.location).publish("ctr", "champion", version, AT, by), people))
    assert sorted(one.by for one in store.history("ctr", "champion")) == sorted(people)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": "x", "history": []}', b'{"history": [{}]}'])
def test_broken_pointer_is_named(store: ArtifactStore, content: bytes) -> None:
    store.publish("ctr", "champion", store.put("ctr", FILES), AT, "sota")
    path = Path(store.location) / "ctr" / "channels" / "champion.json"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=r"champion\.json"):
        store.current("ctr", "champion")


def test_put_that_fails_leaves_nothing_behind(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        store.put("ctr", FILES)
    assert list((Path(store.location) / "ctr" / "versions").iterdir()) == []


def test_damaged_version_is_not_taken_for_the_same_content(store: ArtifactStore) -> None:
    version = store.put("ctr", FILES)
    (folder_of(store, version) / "schema.json").write_bytes(b"xx")
    with pytest.raises(Invalid):
        store.put("ctr", FILES)


NAMES = st.text("abcz019_-", min_size=1, max_size=12).map(lambda stem: f"{stem}.json")


@settings(max_examples=30, deadline=None)
@given(files=st.dictionaries(NAMES, st.binary(max_size=64), min_size=1, max_size=4), data=st.data())
def test_any_changed_byte_is_found(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], data: st.DataObject
) -> None:
    files.pop(MANIFEST, None)
    files = files or {"a.json": b""}
    folder = tmp_path_factory.mktemp("store")
    store = ArtifactStore(folder)
    version = store.put("ctr", files)
    assert store.load("ctr", version) == files
    path = data.draw(st.sampled_from(sorted(folder_of(store, version).iterdir())))
    content = bytearray(path.read_bytes())
    if content:
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(bytes(content))
        with pytest.raises(Invalid):
            store.load("ctr", version)
    shutil.rmtree(folder)
