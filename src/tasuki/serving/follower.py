"""Follows one pointer in a thread of its own: loads and proves new versions there, so a slow one delays nobody."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tasuki.clock import Clock
from tasuki.models.artifact import Artifact, prove, read_artifact
from tasuki.models.default_answer import DefaultAnswer
from tasuki.serving.plan import Slot
from tasuki.store.artifacts import ArtifactStore

POLL_S = 0.2
REMOTE_POLL_S = 2.0
"""An object store is looked at less often than a folder: each look is a request."""
CHAMPION = "champion"
RETRY_S = 2.0
PATIENCE_S = 3.0
"""After so many seconds a version that is still being loaded counts as one that cannot be."""


@dataclass(frozen=True)
class Pointer:
    """A channel of a model in a store, and the workspace that the store's location is relative to."""

    folder: Path
    location: str
    model: str
    channel: str


class Follower:
    """The newest version of a pointer that could be loaded and proved.

    Args:
        pointer: What is followed.
        clock: Where the time comes from.
    """

    def __init__(self, pointer: Pointer, clock: Clock) -> None:
        self._pointer = pointer
        self._clock = clock
        self._slot = Slot("", pointer.channel, pointer.location, None, None, "unavailable", "is being loaded")
        self._failed: tuple[str, str, float] = ("", "", 0.0)
        self._began: float | None = None
        self._wanted = ""
        self._looked = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"follow {pointer.channel}", daemon=True)

    def start(self, patience_s: float) -> None:
        """Begins to follow; waits until the first look is over, but not longer than that."""
        self._thread.start()
        self._looked.wait(patience_s)

    def stop(self) -> None:
        """Lets the thread end. Does not wait: a store that hangs must not hold anybody up."""
        self._stop.set()

    @property
    def slot(self) -> Slot:
        """What the pointer gives now: its version, the last good one with the reason, or nothing with the reason."""
        slot, began = self._slot, self._began
        if began is not None and time.monotonic() - began > PATIENCE_S:
            what = f"version {self._wanted}" if self._wanted else "the pointer"
            error = f"{what} has been loading for more than {PATIENCE_S:g} s"
            return replace(slot, state="last_good" if slot.artifact else "unavailable", error=error)
        return slot

    def _run(self) -> None:
        while not self._stop.is_set():
            self._began = time.monotonic()
            self._slot = self._look()
            self._began, self._wanted = None, ""
            self._looked.set()
            self._stop.wait(_pause_s(self._pointer.location))

    def _look(self) -> Slot:
        good, version = self._slot, ""
        try:
            store = ArtifactStore.at(self._pointer.folder, self._pointer.location)
            version, default = self._pointed(store)
            if good.artifact is None:
                good = replace(good, default=default)  # known before the version is, or even when it never is
            if good.artifact is None or good.artifact.version != version:
                artifact = self._load(store, version)
                if self._pointed(store) != (version, default):
                    return good  # the pointer moved on meanwhile; the next look follows it
                now = self._clock()
                return replace(good, artifact=artifact, since=now, state="serving", error="", default=default)
            good = replace(good, default=default)
        except Exception as error:  # whatever is wrong with the new version, the old one goes on
            said = one_line(error)
            if version and version not in said:  # whoever reads the log must find the files
                said = f"{self._pointer.location}/{self._pointer.model}/versions/{version}: {said}"
            return replace(good, state="last_good" if good.artifact else "unavailable", error=said)
        return replace(good, state="serving", error="")

    def _pointed(self, store: ArtifactStore) -> tuple[str, DefaultAnswer | None]:
        history = store.history(self._pointer.model, self._pointer.channel)
        return (history[-1].version, history[-1].default) if history else ("", None)

    def _load(self, store: ArtifactStore, version: str) -> Artifact:
        pointer = self._pointer
        if not version:
            raise LookupError(f"nothing is published under {pointer.channel} in {pointer.location}")
        failed, error, retry_at = self._failed
        if failed == version and time.monotonic() < retry_at:
            raise LookupError(error)  # a store may heal, so it is tried again, but not at every look
        self._wanted = version
        try:
            artifact = read_artifact(pointer.model, version, store.load(pointer.model, version))
            prove(artifact)
        except Exception as error:
            self._failed = (version, one_line(error), time.monotonic() + RETRY_S)
            raise
        return artifact


class Listing:
    """The models that have a published champion, listed in a thread of its own.

    Args:
        folder: The workspace's folder.
        location: Its artifacts.
    """

    def __init__(self, folder: Path, location: str) -> None:
        self._folder = folder
        self._location = location
        self._listed = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="list models", daemon=True)
        self.models: tuple[str, ...] = ()

    def start(self, patience_s: float) -> None:
        """Begins to list; waits until the first list is there, but not longer than that."""
        self._thread.start()
        self._listed.wait(patience_s)

    def stop(self) -> None:
        """Lets the thread end, without waiting for it."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(Exception):  # what was listed before goes on; each pointer says its own trouble
                store = ArtifactStore.at(self._folder, self._location)
                self.models = tuple(model for model in store.models() if CHAMPION in store.channels(model))
            self._listed.set()
            self._stop.wait(_pause_s(self._location))


def _pause_s(location: str) -> float:
    return REMOTE_POLL_S if "://" in location else POLL_S


Say = Callable[[str], None]


def one_line(error: BaseException) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
