"""Opening the workspace of a command, and knowing who acts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasuki.errors import Invalid

if TYPE_CHECKING:
    from tasuki.actions.workspace import Workspace


@contextmanager
def opened(folder: Path | None) -> Iterator["Workspace"]:
    """The workspace in the folder (the current one when none is named), closed at the end."""
    from tasuki.settings.workspace import open_workspace

    workspace = open_workspace(folder)
    try:
        yield workspace
    finally:
        workspace.close()


def actor_of(workspace: "Workspace", named: str | None) -> str:
    """Who acts: the one named with `--as`, else the configured member.

    Raises:
        Invalid: Nobody is named and none is configured.
    """
    actor = named or workspace.member
    if not actor:
        raise Invalid(
            "nobody was named who does this",
            expected=f"one of {', '.join(workspace.ledger.members()) or 'the members; the team has none yet'}",
            next_step="--as MEMBER, or member = … in tasuki.toml",
        )
    return actor
