"""The ledger as it grows, as server-sent events: for boards that stay fresh and programs that react."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from tasuki.accounts.visitor import Visitor
from tasuki.actions.workspace import Workspace
from tasuki.clock import to_text
from tasuki.flow.event import OWN_STREAMS, Event
from tasuki.web.rest.answers import FARTHEST
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.streams import Streams
from tasuki.web.visitors import still_may, visitor_of

POLL_S = 1.0
QUIET_S = 15.0
"""A comment goes out when nothing has happened for so long, so that no proxy takes the line for dead."""
BATCH = 200
_STEP_S = 0.2
_VERB = "idea.list"


class Sent(msgspec.Struct, frozen=True):
    """One event of the stream: the ledger's position, the kind, and who, when and which idea as JSON text."""

    id: str
    event: str
    data: str


_SENT = ResponseSpec(
    Sent, description="A stream of server-sent events.", media_type="text/event-stream", generate_examples=False
)


@get("/events", opt={"verb": _VERB}, tags=["events"], responses={200: _SENT, **described(429)})
async def follow_events(
    request: AnyRequest,
    after: Annotated[
        int | None,
        QueryParameter(
            name="after", ge=0, le=FARTHEST, required=False, description="A position; what follows it is sent."
        ),
    ] = None,
    once: Annotated[bool, QueryParameter(name="once", description="End when everything up to now is sent.")] = False,
) -> ServerSentEvent:
    """Each event of an idea: its position as id, its kind as event, and who, when and which idea as data.

    A browser that was cut off goes on where it was (`Last-Event-ID`). Without a position only what is new is sent.
    """
    workspace, streams = workspace_of(request), request.app.state.streams
    streams.require_room(visitor_of(request).member)
    last = request.headers.get("last-event-id", "")
    start = min(int(last), FARTHEST) if last.isascii() and last.isdigit() and len(last) < 20 else after
    if start is None:
        start = (await asyncio.to_thread(workspace.ledger.size))[0]
    return ServerSentEvent(_counted(_Reader(request, workspace, streams, visitor_of(request)), start, once))


@dataclass(frozen=True)
class _Reader:
    """Who reads a stream, and whether they still may."""

    request: AnyRequest
    workspace: Workspace
    streams: Streams
    visitor: Visitor

    async def still_may(self) -> bool:
        """False once a token was revoked, a session has ended or an account was disabled."""
        return await asyncio.to_thread(still_may, self.request, _VERB)

    async def waited(self, seconds: float) -> bool:
        """Waits; False when the server is about to stop."""
        for _ in range(round(seconds / _STEP_S)):
            if self.streams.are_ending:
                return False
            await asyncio.sleep(_STEP_S)
        return not self.streams.are_ending


async def _counted(reader: _Reader, position: int, once: bool) -> AsyncIterator[ServerSentEventMessage]:
    with reader.streams.opened(reader.visitor.member):
        async for message in _messages(reader, position, once):
            yield message


async def _messages(reader: _Reader, position: int, once: bool) -> AsyncIterator[ServerSentEventMessage]:
    quiet = 0.0
    # Asked before each round and not only in a quiet one: on a busy day a revoked token would read on.
    while not reader.streams.are_ending and await reader.still_may():
        found = await asyncio.to_thread(reader.workspace.ledger.feed, position, BATCH)
        for at, event in found:
            position = at
            if event.idea not in OWN_STREAMS:
                yield _message(at, event)
        if found:
            quiet = 0.0
            continue
        if once or not await reader.waited(POLL_S):
            return
        quiet += POLL_S
        if quiet >= QUIET_S:
            quiet = 0.0
            yield ServerSentEventMessage(comment="still here")


def _message(position: int, event: Event) -> ServerSentEventMessage:
    import json

    said = {"idea": event.idea, "kind": event.kind, "actor": event.actor, "at": to_text(event.at)}
    return ServerSentEventMessage(id=position, event=event.kind, data=json.dumps(said, ensure_ascii=False))


STREAM = (follow_events,)
