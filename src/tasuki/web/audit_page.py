"""What happened: the ledger as a page, the newest first, a part at a time; and how deliveries to webhooks went."""

from dataclasses import dataclass

from litestar import Response, get

from tasuki.actions.webhooks import told_webhooks
from tasuki.actions.workspace import Workspace
from tasuki.flow.event import ACCOUNT_KINDS, ACCOUNT_STREAM, IDEA_KINDS, TEAM_KINDS, TEAM_STREAM, Event, Sought
from tasuki.web.site import AnyRequest, page, whole_number, workspace_of

SHOWN = 100
LOOKED_THROUGH = 100_000
"""How many events a page looks through for what was asked; the next page looks further back."""
_KINDS = {ACCOUNT_STREAM: ACCOUNT_KINDS, TEAM_STREAM: TEAM_KINDS}
_QUERY_LENGTH = 200


@dataclass(frozen=True)
class AuditPart:
    """A part of the ledger.

    Args:
        events: What was found, the newest first.
        older: The position before which the next part is; None at the beginning of the ledger.
        is_newest: Whether it begins with the newest event.
    """

    events: tuple[Event, ...]
    older: int | None
    is_newest: bool


def part_of_ledger(workspace: Workspace, sought: Sought, before: int | None = None, shown: int = SHOWN) -> AuditPart:
    """A part of the events that are sought.

    Args:
        workspace: The open workspace.
        sought: Which ones.
        before: Only those before this position; the newest where it is not given.
        shown: At most so many.
    """
    end = workspace.ledger.head().position + 1
    start = end if before is None else min(max(1, before), end)
    after = max(0, start - 1 - LOOKED_THROUGH)
    found = workspace.ledger.looked_back(sought, after=after, before=start, limit=shown)
    older = found[-1][0] if len(found) == shown else after + 1
    return AuditPart(tuple(event for _, event in found), older if older > 1 else None, start == end)


@get("/audit", sync_to_thread=True, opt={"verb": "audit.show"})
def show_audit(request: AnyRequest) -> Response[str]:
    """The ledger's events, of everything, of accounts or of the team; by whom and what where that is chosen."""
    workspace = workspace_of(request)
    asked = {name: (request.query_params.get(name) or "")[:_QUERY_LENGTH] for name in ("stream", "actor", "kind")}
    stream = asked["stream"] if asked["stream"] in _KINDS else ""
    sought = Sought(stream, asked["actor"], asked["kind"])
    members = workspace.ledger.members()
    context = {
        "part": part_of_ledger(workspace, sought, whole_number(request.query_params.get("before"))),
        "sought": sought,
        "stream": stream or "all",
        "actors": tuple(dict.fromkeys([*members, sought.actor] if sought.actor else members)),
        "kinds": sorted(_KINDS.get(stream, IDEA_KINDS | TEAM_KINDS | ACCOUNT_KINDS)),
        "webhooks": told_webhooks(workspace),
        "members": members,
        "place": "accounts",
    }
    return page(request, workspace, "audit.html", context)


AUDIT = (show_audit,)
