"""Follows one pointer in a thread of its own: loads and proves new versions there, so a slow one delays nobody."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tasuki.clock import Clock
from tasuki.models.artifact import SCHEMA, Artifact, Schema, prove, read_artifact, read_schema
from tasuki.models.default_answer import DefaultAnswer
from tasuki.serving.plan import Slot
from tasuki.store.artifacts import ArtifactStore
from tasuki.store.places import is_url

POLL_S = 0.2
REMOTE_POLL_S = 2.0
"""An object store is looked at less often than a folder: each look is a request."""
JITTER = 0.25
"""By what share of it the time between two looks is longer or shorter, so that many services do not ask at once."""
LONGEST_PAUSE_S = 15.0
"""While a store does not answer, the time between looks doubles up to this."""
LISTINGS = 10
"""An object store's models are listed so many times less often than a pointer is looked at."""
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
        remote_poll_s: Seconds between two looks at an object store.
    """

    def __init__(self, pointer: Pointer, clock: Clock, remote_poll_s: float = REMOTE_POLL_S) -> None:
        self._pointer = pointer
        self._clock = clock
        self._pauses = Pauses(pointer.location, remote_poll_s)
        self._known: tuple[str, str, DefaultAnswer | None] = ("", "", None)
        self._slot = Slot("", pointer.channel, pointer.location, None, None, "unavailable", "is being loaded")
        self._failed: tuple[str, str, float] = ("", "", 0.0)
        self._began: float | None = None
        self._wanted = ""
        self._failures = 0
        self._schema: Schema | None = None
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
            self._stop.wait(self._pauses.next_s(self._failures))

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
                self._failures, now = 0, self._clock()
                return replace(
                    good, artifact=artifact, since=now, state="serving", error="", default=default, schema=None
                )
            good = replace(good, default=default)
            self._failures = 0
        except Exception as error:  # whatever is wrong with the new version, the old one goes on
            self._failures += 1
            said = one_line(error)
            if version and version not in said:  # whoever reads the log must find the files
                said = f"{self._pointer.location}/{self._pointer.model}/versions/{version}: {said}"
            schema = None if good.artifact else self._schema
            return replace(good, state="last_good" if good.artifact else "unavailable", error=said, schema=schema)
        return replace(good, state="serving", error="")

    def _pointed(self, store: ArtifactStore) -> tuple[str, DefaultAnswer | None]:
        """Version and default that the pointer names; an object that did not change is not read again."""
        model, channel = self._pointer.model, self._pointer.channel
        mark = store.mark(model, channel)
        if not mark or mark != self._known[0]:
            history = store.history(model, channel)
            newest = (history[-1].version, history[-1].default) if history else ("", None)
            self._known = (mark, *newest)
        return self._known[1:]

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
            if self._slot.artifact is None:
                self._schema = _schema_of(store, pointer.model, version)
            raise
        return artifact


def _schema_of(store: ArtifactStore, model: str, version: str) -> Schema | None:
    """What requests of a version look like, though the version cannot be loaded; None when that is not known either."""
    try:
        content = store.intact(model, version, SCHEMA)
        return None if content is None else read_schema(content)
    except Exception:  # why the version cannot be loaded is said already
        return None


class Listing:
    """The models that have a published champion, listed in a thread of its own.

    Args:
        folder: The workspace's folder.
        location: Its artifacts.
        remote_poll_s: Seconds between two looks at a pointer in an object store; the list is made less often.
    """

    def __init__(self, folder: Path, location: str, remote_poll_s: float = REMOTE_POLL_S) -> None:
        self._pauses = Pauses(location, remote_poll_s * LISTINGS)
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
                self.models = ArtifactStore.at(self._folder, self._location).models_on(CHAMPION)
            self._listed.set()
            self._stop.wait(self._pauses.next_s(0))


class Pauses:
    """How long to wait between two looks: at a folder always as long, at an object store with jitter.

    Args:
        location: What is looked at.
        remote_s: Seconds between two looks at an object store.
    """

    def __init__(self, location: str, remote_s: float) -> None:
        self._is_remote = is_url(location)
        self._remote_s = remote_s
        self._chance = Random()  # noqa: S311  nothing is kept secret by it; each object draws its own from the system

    def next_s(self, failures: int) -> float:
        """Seconds until the next look, after so many that failed one after the other."""
        if not self._is_remote:
            return POLL_S
        pause_s = min(self._remote_s * float(1 << min(failures, 10)), max(LONGEST_PAUSE_S, self._remote_s))
        return pause_s * self._chance.uniform(1 - JITTER, 1 + JITTER)


Say = Callable[[str], None]


def one_line(error: BaseException) -> str:
    """An error's text without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
