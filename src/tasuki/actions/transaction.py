"""How every verb writes: read, decide, append in one transaction, then tell the webhooks. Nothing is retried here.

With an idempotency key the request's fingerprint goes into the first event's body. A second call with the same key
and the same request does nothing and answers as the first did; with another request it is refused.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tasuki.actions.notify import notify
from tasuki.actions.workspace import Workspace
from tasuki.errors import Refused, said
from tasuki.flow.event import TEAM_STREAM, Event, NewEvent, canonical_json, chained
from tasuki.flow.fold import apply
from tasuki.flow.rights import Act
from tasuki.flow.state import IdeaState

Decide = Callable[[IdeaState, Act], Sequence[NewEvent]]


@dataclass(frozen=True)
class Request:
    """What somebody asked for: the verb, who asked, with which arguments, under which key."""

    verb: str
    actor: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None

    def fingerprint(self, stream: str) -> str:
        """The same for the same request, whenever it is made."""
        said = [self.verb, stream, self.actor, dict(self.arguments)]
        return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def change_idea(workspace: Workspace, idea: str, request: Request, decide: Decide) -> IdeaState:
    """Decides on the idea's present state and appends what was decided.

    Returns:
        The idea's state after it; the present state when the key says that it was done before.

    Raises:
        Missing: There is no such idea.
        Refused: By the decision, or because the key stands for another request.
        Stale: Somebody was faster between reading and writing. Nothing was written.
    """
    if done_before(workspace, idea, request):
        return workspace.ledger.state(idea)
    state = workspace.ledger.state(idea)
    events = decide(state, workspace.act(request.actor))
    written = append(workspace, idea, state.sequence, events, request)
    for event in written:
        state = apply(state, event) if event.sequence > state.sequence else workspace.ledger.state(idea)
    return state


def append(
    workspace: Workspace, stream: str, sequence: int, events: Sequence[NewEvent], request: Request
) -> tuple[Event, ...]:
    """Appends the events of a request in one transaction and tells the webhooks."""
    written = workspace.ledger.append(stream, sequence, marked(events, stream, request), key=request.key)
    notify(workspace, written)
    return written


def marked(events: Sequence[NewEvent], stream: str, request: Request) -> tuple[NewEvent, ...]:
    """The events with the request's fingerprint in the first one, where the request has a key."""
    first, *others = events
    if request.key is None:
        return (first, *others)
    body = {**first.body, "request": request.fingerprint(_scope(stream, request))}
    return (replace(first, body=body), *others)


def done_before(workspace: Workspace, stream: str, request: Request) -> tuple[Event, ...]:
    """The events of this very request when its key was used before; empty when it was not.

    Raises:
        Refused: The key stands for another request.
    """
    earlier = None if request.key is None else workspace.ledger.earlier(request.key)
    if not earlier:
        return ()
    if earlier[0].body.get("request") != request.fingerprint(_scope(stream, request)):
        raise Refused(
            said(
                "the idempotency key {key!r} was used for something else (on {idea})",
                key=request.key,
                idea=earlier[0].idea,
            ),
            rule="a key stands for one request",
            next_step="use a new key for a new request",
        )
    return earlier


def _scope(stream: str, request: Request) -> str:
    """Opening an idea is asked for before the idea has a name."""
    return "" if request.verb == "open_idea" else stream


def preview(state: IdeaState, event: NewEvent) -> IdeaState:
    """The state as it will be once the event is written: for an event that follows in the same transaction."""
    return apply(state, chained(state.idea, state.sequence + 1, event, ""))


def change_team(workspace: Workspace, request: Request, decide: Callable[[Act], NewEvent]) -> None:
    """Decides on the present team and appends what was decided to the team's stream."""
    if done_before(workspace, TEAM_STREAM, request):
        return
    sequence = len(workspace.ledger.events(TEAM_STREAM))
    append(workspace, TEAM_STREAM, sequence, (decide(workspace.act(request.actor)),), request)
