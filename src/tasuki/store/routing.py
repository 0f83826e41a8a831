"""The routing's file: replaced as a whole, so that the inference service never reads a part of it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasuki.errors import Missing
from tasuki.experiments.routing import Routing, read_routing, routing_to_json
from tasuki.models.definition import is_plain_name
from tasuki.store.files import replace_file


def routing_path(folder: Path) -> Path:
    """Where the routing of a workspace lies."""
    return folder / "serving" / "routing.json"


def load_routing(folder: Path) -> Routing | None:
    """The routing of a workspace; None when none was ever written.

    Raises:
        Invalid: When the file cannot be used.
    """
    try:
        content = routing_path(folder).read_bytes()
    except FileNotFoundError:
        return None
    return read_routing(content)


def save_routing(folder: Path, routing: Routing) -> None:
    """Replaces the routing of a workspace."""
    replace_file(routing_path(folder), routing_to_json(routing))


@contextmanager
def changing_routing(folder: Path) -> Iterator[None]:
    """Holds the workspace's routing for one who reads, decides and writes; others on this machine wait their turn."""
    path = routing_path(folder).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def keep_experiment(folder: Path, routing: Routing) -> None:
    """Keeps the routing an experiment was started with, for its check after it was stopped."""
    replace_file(_experiment_path(folder, str(routing.experiment)), routing_to_json(routing))


def routing_of(folder: Path, experiment: str) -> Routing:
    """The routing an experiment was last started with.

    Raises:
        Missing: When it was never started here.
    """
    kept = _experiment_path(folder, experiment) if is_plain_name(experiment) else None
    if kept is None or not kept.is_file():
        known = sorted(one.stem for one in (folder / "serving" / "experiments").glob("*.json"))
        raise Missing(
            f"the experiment {experiment!r} was never started in this workspace",
            expected=f"one of {', '.join(known)}" if known else "an experiment that was started",
            next_step=f"tasuki experiment start IDEA {experiment} …",
        )
    return read_routing(kept.read_bytes())


def _experiment_path(folder: Path, experiment: str) -> Path:
    return folder / "serving" / "experiments" / f"{experiment}.json"
