"""The routing's file: replaced as a whole, so that the inference service never reads a part of it."""

from contextlib import AbstractContextManager
from pathlib import Path

from tasuki.experiments.routing import Routing, read_routing, routing_to_json
from tasuki.store.files import held, replace_file


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


def changing_routing(folder: Path) -> AbstractContextManager[None]:
    """Holds the workspace's routing for one who reads, decides and writes; others on this machine wait their turn."""
    return held(routing_path(folder).with_suffix(".lock"))
