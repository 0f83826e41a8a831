"""Where trained models lie: immutable folders named by their content, and one pointer per channel.

Layout, below the store's location:

    <model>/versions/<version>/manifest.json and the files it lists
    <model>/channels/<channel>.json          the pointer, replaced as a whole

`version` is the beginning of the SHA-256 of the manifest, which holds the SHA-256 of each file: a version that loads is
the version that was put. Nothing in a version is ever executed, and a name that leaves the folder is never followed.
The manifest is written last, so that a half-written version is never seen. `tasuki.store.places` writes and reads.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tasuki.clock import from_text, to_text
from tasuki.errors import Fault, Invalid, Missing, said
from tasuki.models.default_answer import DefaultAnswer, default_from, default_to
from tasuki.models.definition import is_plain_name
from tasuki.store.places import place_of, resolve_location

FORMAT = "tasuki.artifact/1"
MANIFEST = "manifest.json"
VERSION_LENGTH = 16
LARGEST_FILE_BYTES = 1 << 30


@dataclass(frozen=True)
class Pointer:
    """A version that a channel pointed to, since when, who published it, and its default answer."""

    version: str
    at: datetime
    by: str
    default: DefaultAnswer | None = None


class ArtifactStore:
    """The artifacts below one location.

    Args:
        location: A folder, or `s3://bucket/prefix` and whatever else fsspec reads. It need not exist yet; reading from
            one that does not exist says that it is missing.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = str(location)
        self._place = place_of(location)

    @classmethod
    def at(cls, folder: Path, location: str) -> "ArtifactStore":
        """The store at a location as a workspace writes it: a URL, or a path relative to the workspace's folder."""
        return cls(resolve_location(folder, location))

    def put(self, model: str, files: Mapping[str, bytes]) -> str:
        """Keeps the files as a version and returns its name; the same content gives the same version.

        Raises:
            Invalid: When a name is not plain, or there is no file.
        """
        faults = [Fault(name, "is no plain file name") for name in files if not _is_file_name(name)]
        if not is_plain_name(model):
            faults.append(Fault("model", said("{model!r} is no plain name", model=model), "letters, digits, - and _"))
        if not files:
            faults.append(Fault("files", "there is none"))
        if faults:
            raise Invalid("the artifact cannot be stored", faults)
        manifest = _manifest(model, files)
        version = _version_of(manifest)
        if version in self.versions(model):
            self.load(model, version)
            return version
        self._place.put({**files, MANIFEST: manifest}, MANIFEST, model, "versions", version)
        return version

    def load(self, model: str, version: str) -> dict[str, bytes]:
        """The files of a version, each checked against the manifest, and the manifest against the version.

        Raises:
            Missing: When there is no such version here.
            Invalid: When a file is corrupt, truncated, missing or extra, or the manifest is not this version's.
        """
        folder = self._version_folder(model, version)
        there = self._place.entries(*folder)
        if not there:
            raise Missing(
                said(
                    "there is no version {version} of {model} in {location}",
                    version=version,
                    model=model,
                    location=self.location,
                ),
                expected=self._expectation(model),
                next_step="train it here, or name the location it was published to",
            )
        manifest = self._place.read(*folder, MANIFEST)
        where = self._place.label(*folder, MANIFEST)
        if manifest is None:
            what = "is missing: the version was never complete, or was damaged"
            raise Invalid(
                said("version {version} of {model} has no {manifest}", version=version, model=model, manifest=MANIFEST),
                [Fault(where, what)],
            )
        if _version_of(manifest) != version:
            raise Invalid(
                said("{where} is not the manifest of version {version}", where=where, version=version),
                [Fault(where, "its hash differs")],
            )
        return self._checked_files(folder, there, manifest)

    def intact(self, model: str, version: str, name: str) -> bytes | None:
        """One file of a version, whatever became of the others; None unless manifest and file are the version's."""
        folder = self._version_folder(model, version)
        manifest = self._place.read(*folder, MANIFEST)
        if manifest is None or _version_of(manifest) != version:
            return None
        listed = _listed(self._place.label(*folder, MANIFEST), manifest, model)
        content = self._place.read(*folder, name) if name in listed else None
        is_whole = content is not None and hashlib.sha256(content).hexdigest() == listed[name][0]
        return content if is_whole else None

    def publish(
        self, model: str, channel: str, version: str, at: datetime, by: str, *, default: DefaultAnswer | None = None
    ) -> str | None:
        """Points the channel at a version that is here and intact, atomically; returns the version it replaced.

        The default answer lies beside the pointer, so that it is known even when the version cannot be loaded.
        """
        if not is_plain_name(channel):
            raise Invalid(
                "the channel has no plain name", [Fault("channel", f"{channel!r}", "letters, digits, - and _")]
            )
        self.load(model, version)
        path = self._pointer_path(model, channel)
        replaced: list[str | None] = []

        def pointed(content: bytes | None) -> bytes:
            history = self._history(path, content)
            replaced.append(history[-1].version if history else None)
            pointers = [_written(one) for one in (*history, Pointer(version, at, by, default))]
            document = {**pointers[-1], "history": pointers}
            return json.dumps(document, ensure_ascii=False, indent=1).encode()

        self._place.change(pointed, *path)
        return replaced[-1]

    def current(self, model: str, channel: str) -> str | None:
        """The version the channel points to, or None when nothing was ever published there.

        Raises:
            Missing: When the location itself does not exist.
            Invalid: When the pointer cannot be read.
        """
        history = self.history(model, channel)
        return history[-1].version if history else None

    def history(self, model: str, channel: str) -> tuple[Pointer, ...]:
        """Everything the channel ever pointed to, oldest first; the last is the current one."""
        path = self._pointer_path(model, channel)
        content = self._place.read(*path)
        if content is None and not self._place.exists():
            raise Missing(
                said("there is no artifact store at {location}", location=self.location),
                expected="an existing folder",
                next_step="correct the location, or train a model into it",
            )
        return self._history(path, content)

    def mark(self, model: str, channel: str) -> str:
        """What changes whenever the channel's pointer does, without reading it; empty where that is not known."""
        return self._place.mark(*self._pointer_path(model, channel))

    def models_on(self, channel: str) -> tuple[str, ...]:
        """The models that point a channel somewhere; cheaper than looking at all of their versions."""
        names = (name for name in self._place.entries() if is_plain_name(name))
        return tuple(name for name in names if f"{channel}.json" in self._place.entries(name, "channels"))

    def versions(self, model: str) -> tuple[str, ...]:
        """The versions that are here, the newest last."""
        if not is_plain_name(model):
            return ()
        return tuple(self._place.newest_last(MANIFEST, model, "versions"))

    def models(self) -> tuple[str, ...]:
        """The models that have a version here."""
        return tuple(name for name in self._place.entries() if self.versions(name))

    def channels(self, model: str) -> tuple[str, ...]:
        """The channels of a model that point somewhere."""
        if not is_plain_name(model):
            return ()
        names = (
            name.removesuffix(".json") for name in self._place.entries(model, "channels") if name.endswith(".json")
        )
        return tuple(sorted(name for name in names if is_plain_name(name)))

    def _expectation(self, model: str) -> str:
        return ", ".join(self.versions(model)[-5:]) or "nothing is stored for this model there"

    def _version_folder(self, model: str, version: str) -> tuple[str, str, str]:
        if not is_plain_name(model) or not is_plain_name(version):
            raise Invalid("no plain name", [Fault("model and version", f"{model!r}, {version!r}")])
        return model, "versions", version

    def _pointer_path(self, model: str, channel: str) -> tuple[str, str, str]:
        if not is_plain_name(model) or not is_plain_name(channel):
            raise Invalid("no plain name", [Fault("model and channel", f"{model!r}, {channel!r}")])
        return model, "channels", f"{channel}.json"

    def _history(self, path: tuple[str, ...], content: bytes | None) -> tuple[Pointer, ...]:
        if content is None:
            return ()
        try:
            document = json.loads(content)
            history = tuple(_pointer(one) for one in document["history"])
            if history[-1].version != document["version"]:
                raise ValueError("version and history disagree")
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            where = self._place.label(*path)
            raise Invalid(
                said("{where} is no channel pointer", where=where),
                [Fault(where, str(error))],
                next_step="put the file back from a backup, or remove it and publish again",
            ) from error
        return history

    def _checked_files(self, folder: tuple[str, str, str], there: list[str], manifest: bytes) -> dict[str, bytes]:
        model, _, version = folder
        listed = _listed(self._place.label(*folder, MANIFEST), manifest, model)
        faults = [
            Fault(self._place.label(*folder, name), "is not in the manifest")
            for name in there
            if name != MANIFEST and name not in listed
        ]
        files: dict[str, bytes] = {}
        for name, (digest, size) in listed.items():
            content, where = self._place.read(*folder, name), self._place.label(*folder, name)
            if content is None:
                faults.append(Fault(where, "is missing"))
            elif len(content) != size:
                faults.append(Fault(where, said("has {count} bytes", count=len(content)), f"{size}"))
            elif hashlib.sha256(content).hexdigest() != digest:
                faults.append(Fault(where, "is corrupt: its SHA-256 differs"))
            else:
                files[name] = content
        if faults:
            raise Invalid(
                said("the artifact {version} of {model} is damaged", version=version, model=model),
                faults,
                next_step="train and publish again, or roll back to an intact version",
            )
        return files


def _manifest(model: str, files: Mapping[str, bytes]) -> bytes:
    document = {
        "format": FORMAT,
        "model": model,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in sorted(files.items())
        },
    }
    return json.dumps(document, sort_keys=True, indent=1).encode()


def _version_of(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()[:VERSION_LENGTH]


def _listed(path: str, manifest: bytes, model: str) -> dict[str, tuple[str, int]]:
    """The files a manifest lists, as name → (SHA-256, bytes); Invalid when it is not a manifest of this model."""
    try:
        document = json.loads(manifest)
        listed = {str(name): (str(one["sha256"]), int(one["bytes"])) for name, one in document["files"].items()}
        written = (document["format"], document["model"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Invalid(said("{path} is no manifest", path=path), [Fault(path, str(error))]) from error
    faults = [
        Fault(path, said("names {name!r}", name=name), "a plain file name inside the folder")
        for name in listed
        if not _is_file_name(name)
    ]
    if written != (FORMAT, model):
        faults.append(
            Fault(
                path,
                said("is of {model!r} in format {format!r}", model=written[1], format=written[0]),
                said("{model!r} in {format!r}", model=model, format=FORMAT),
            )
        )
    if any(size > LARGEST_FILE_BYTES for _, size in listed.values()):
        faults.append(
            Fault(
                path,
                "lists a file that is too large",
                said("at most {largest_file_bytes} bytes", largest_file_bytes=LARGEST_FILE_BYTES),
            )
        )
    if faults:
        raise Invalid(said("{path} cannot be trusted", path=path), faults)
    return listed


def _pointer(value: Mapping[str, Any]) -> Pointer:
    version = str(value["version"])
    if not is_plain_name(version):
        raise ValueError(f"{version!r} is no version")
    return Pointer(version, from_text(str(value["at"])), str(value["by"]), default_from(value))


def _written(one: Pointer) -> dict[str, Any]:
    more = {} if one.default is None else {"default": default_to(one.default)}
    return {"version": one.version, "at": to_text(one.at), "by": one.by, **more}


def _is_file_name(name: str) -> bool:
    return (
        name != MANIFEST and not name.startswith(".") and is_plain_name(name.replace(".", "_")) and os.sep not in name
    )
