"""The team's members and what they may do."""

from collections.abc import Sequence
from typing import Literal

from tasuki.actions.transaction import Request, change_team
from tasuki.actions.workspace import Workspace
from tasuki.flow import decide
from tasuki.flow.plan import Member


def add_member(
    workspace: Workspace,
    name: str,
    *,
    actor: str,
    roles: Sequence[str],
    language: Literal["ja", "en"] = "ja",
    display_name: str = "",
    key: str | None = None,
) -> Member:
    """Adds a member with one or more roles. The first may be added by anybody."""
    member = Member(name, tuple(dict.fromkeys(roles)), language, display_name or name)
    said = {"name": name, "roles": list(member.roles), "language": language, "display_name": display_name}
    change_team(workspace, Request("add_member", actor, said, key), lambda act: decide.add_member(act, member))
    return workspace.ledger.members()[name]


def change_roles(
    workspace: Workspace, name: str, *, actor: str, roles: Sequence[str], key: str | None = None
) -> Member:
    """Gives a member exactly these roles."""
    wanted = tuple(dict.fromkeys(roles))
    request = Request("change_roles", actor, {"name": name, "roles": list(wanted)}, key)
    change_team(workspace, request, lambda act: decide.change_roles(act, name, wanted))
    return workspace.ledger.members()[name]
