"""The ledger as it grows, as server-sent events: for boards that stay fresh and programs that react."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from tasuki.actions.workspace import Workspace
from tasuki.clock import to_text
from tasuki.flow.event import OWN_STREAMS, Event
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of

POLL_S = 1.0
QUIET_S = 15.0
"""A comment goes out when nothing has happened for so long, so that no proxy takes the line for dead."""
BATCH = 200


class Sent(msgspec.Struct, frozen=True):
    """One event of the stream: the ledger's position, the kind, and who, when and which idea as JSON text."""

    id: str
    event: str
    data: str


_SENT = ResponseSpec(
    Sent, description="A stream of server-sent events.", media_type="text/event-stream", generate_examples=False
)


@get("/events", opt={"verb": "idea.list"}, tags=["events"], responses={200: _SENT, **described()})
async def follow_events(
    request: AnyRequest,
    after: Annotated[
        int | None,
        QueryParameter(name="after", ge=0, required=False, description="A position; what follows it is sent."),
    ] = None,
    once: Annotated[bool, QueryParameter(name="once", description="End when everything up to now is sent.")] = False,
) -> ServerSentEvent:
    """Each event of an idea: its position as id, its kind as event, and who, when and which idea as data.

    A browser that was cut off goes on where it was (`Last-Event-ID`). Without a position only what is new is sent.
    """
    workspace = workspace_of(request)
    last = request.headers.get("last-event-id", "")
    start = int(last) if last.isdigit() else after
    if start is None:
        start = (await asyncio.to_thread(workspace.ledger.size))[0]
    return ServerSentEvent(_messages(workspace, start, once))


async def _messages(workspace: Workspace, position: int, once: bool) -> AsyncIterator[ServerSentEventMessage]:
    quiet = 0.0
    while True:
        found = await asyncio.to_thread(workspace.ledger.feed, position, BATCH)
        for at, event in found:
            position = at
            if event.idea not in OWN_STREAMS:
                yield _message(at, event)
        if found:
            quiet = 0.0
            continue
        if once:
            return
        await asyncio.sleep(POLL_S)
        quiet += POLL_S
        if quiet >= QUIET_S:
            quiet = 0.0
            yield ServerSentEventMessage(comment="still here")


def _message(position: int, event: Event) -> ServerSentEventMessage:
    import json

    said = {"idea": event.idea, "kind": event.kind, "actor": event.actor, "at": to_text(event.at)}
    return ServerSentEventMessage(id=position, event=event.kind, data=json.dumps(said, ensure_ascii=False))


STREAM = (follow_events,)
