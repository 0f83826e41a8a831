"""Puts the sample team's history into a workspace's ledger."""

from datetime import datetime

from tasuki.actions.workspace import Workspace
from tasuki.errors import Refused, said
from tasuki.flow import decide
from tasuki.flow.event import TEAM_STREAM, NewEvent
from tasuki.flow.rights import Act
from tasuki.samples.history import PastIdea, team_history
from tasuki.samples.team import members_in


def seed_history(workspace: Workspace, seed: int, end: datetime) -> tuple[str, ...]:
    """Adds the sample team and its forty concluded ideas; a second time with the same seed and end it does nothing.

    Nobody is notified: it is long past.

    Args:
        workspace: Whose ledger.
        seed: Which history.
        end: Nothing of it happened later.

    Returns:
        The ideas' ids.

    Raises:
        Refused: The ledger has another history already.
    """
    past = team_history(seed, end)
    _add_members(workspace, min(one.state.opened_at for one in past))
    for one in past:
        _append(workspace, one, f"history/{seed}/{end.isoformat()}/{one.idea}")
    return tuple(one.idea for one in past)


def _append(workspace: Workspace, past: PastIdea, key: str) -> None:
    if workspace.ledger.earlier(key) is None and workspace.ledger.events(past.idea):
        raise Refused(
            said("the ledger has another {idea} already", idea=past.idea),
            rule="a workspace has one sample history: its ideas are cases, and cases stay as they are",
            next_step="make a new workspace for another history",
        )
    workspace.ledger.append(past.idea, 0, past.events, key=key)


def _add_members(workspace: Workspace, joined: datetime) -> None:
    """Adds those of the sample team who are not there yet, as of the beginning of the history."""
    known = workspace.ledger.members()
    events: list[NewEvent] = []
    for member in members_in(workspace.language):
        if member.name not in known:
            events.append(decide.add_member(Act(member.name, joined, workspace.playbook, {}), member))
    if events:
        workspace.ledger.append(TEAM_STREAM, len(workspace.ledger.events(TEAM_STREAM)), events)
