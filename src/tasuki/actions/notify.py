"""Telling the team's webhooks about hand-offs: JSON by POST, signed where a secret is agreed.

Each webhook has its own position in the ledger's feed and moves on only after its receiver has said yes (2xx), so
nothing is lost while it is down: the next action delivers what it missed, and while the pages are served it is tried
again (`tasuki.actions.redelivery`). Deliveries can come twice; `Tasuki-Delivery` is the same both times, `sent_at` is
not. An action waits at most `PATIENCE_S` and never fails because of one. A webhook that is new to a workspace hears of
what happens from then on.
"""

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasuki.actions.deliveries import remember
from tasuki.actions.posting import PATIENCE_S, post
from tasuki.actions.workspace import Webhook, Workspace
from tasuki.clock import to_text
from tasuki.errors import TasukiError
from tasuki.flow.event import OWN_STREAMS, Event

ANNOUNCED = {
    "handoff_offered": "offered",
    "handoff_picked_up": "picked up",
    "handoff_accepted": "accepted",
    "handoff_returned": "returned",
}
"""The kinds of event that are told, and the word for each."""

_BATCH = 200


def notify(workspace: Workspace, written: Sequence[Event]) -> None:
    """Delivers to every webhook what it has not heard yet, after `written` was appended.

    Never raises: a webhook that does not answer hears of it with a later action.
    """
    if not workspace.webhooks or not any(event.kind in ANNOUNCED for event in written):
        return
    try:
        rounds = [_Round(workspace, webhook, _waiting(workspace, webhook, written)) for webhook in workspace.webhooks]
    except TasukiError:
        return  # The ledger is busy with other writers: the next action delivers.
    for one in rounds:
        one.start()
    for one in rounds:
        one.finish()
    for one in rounds:
        _remember(workspace, one)


def cursor_name(webhook: Webhook) -> str:
    """The name of the webhook's position in the feed. It holds no secret, even where the address does."""
    return f"webhook:{hashlib.sha256(webhook.url.encode()).hexdigest()[:16]}"


def signature(body: bytes, secret: str) -> str:
    """What `Tasuki-Signature` says: receivers compute it over the raw body and compare in constant time."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def deliver_waiting(workspace: Workspace, webhook: Webhook) -> bool:
    """Delivers to one webhook what it has not taken yet; whether it has taken everything now.

    A webhook that has heard of nothing yet begins with the next action.

    Raises:
        Unavailable: The ledger is busy.
    """
    if not workspace.ledger.cursor(cursor_name(webhook)):
        return True
    one = _Round(workspace, webhook, _waiting(workspace, webhook, ()))
    one.run()
    _remember(workspace, one)
    return not one.deliveries or one.reached == one.deliveries[-1].position


def is_waiting(workspace: Workspace, webhook: Webhook) -> bool:
    """Whether there is something to tell that a webhook has not taken."""
    if not workspace.ledger.cursor(cursor_name(webhook)):
        return False
    return any(one.said is not None for one in _waiting(workspace, webhook, ()))


def payload(position: int, event: Event, title: str) -> dict[str, Any]:
    """What is posted: the document `tasuki.notification/1`; `text` is what chat tools show."""
    said = event.body
    return {
        "schema": "tasuki.notification/1",
        "position": position,
        "idea": event.idea,
        "title": title,
        "kind": event.kind,
        "actor": event.actor,
        "at": to_text(event.at),
        "from_stage": said.get("from_stage"),
        "to_stage": said.get("to_stage"),
        "to_member": said.get("to_member"),
        "text": _text(event, title),
    }


def _text(event: Event, title: str) -> str:
    said = event.body
    where = f" to {said['to_stage']}" if said.get("to_stage") else ""
    whom = f" ({said['to_member']})" if said.get("to_member") else ""
    why = said.get("reason") or said.get("note") or ""
    return f"{event.idea} {title}: {ANNOUNCED[event.kind]}{where}{whom} by {event.actor}{f': {why}' if why else ''}"


@dataclass(frozen=True)
class _Delivery:
    position: int
    said: dict[str, Any] | None
    """None for an event that is not told: only the position moves."""


def _waiting(workspace: Workspace, webhook: Webhook, written: Sequence[Event]) -> list[_Delivery]:
    after = workspace.ledger.cursor(cursor_name(webhook))
    is_new = after == 0
    titles: dict[str, str] = {}
    deliveries: list[_Delivery] = []
    while batch := workspace.ledger.feed(after, _BATCH):
        after = batch[-1][0]
        for position, event in batch:
            if is_new and event.idea == written[0].idea and event.sequence == written[0].sequence:
                deliveries, is_new = [_Delivery(position - 1, None)], False
            told = event.kind in ANNOUNCED and event.idea not in OWN_STREAMS and not is_new
            deliveries.append(_Delivery(position, _said(workspace, position, event, titles) if told else None))
        if len(deliveries) >= _BATCH and not is_new:
            break
    return deliveries


def _said(workspace: Workspace, position: int, event: Event, titles: dict[str, str]) -> dict[str, Any]:
    if event.idea not in titles:
        titles[event.idea] = workspace.ledger.state(event.idea).title
    return payload(position, event, titles[event.idea])


@dataclass
class _Round:
    """The deliveries to one webhook. It runs beside the others, so that a slow one delays no other."""

    workspace: Workspace
    webhook: Webhook
    deliveries: list[_Delivery]
    reached: int = 0
    thread: threading.Thread = field(init=False)

    def start(self) -> None:
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def finish(self) -> None:
        self.thread.join(PATIENCE_S)

    def run(self) -> None:
        """Delivers in order until one is not taken."""
        for one in self.deliveries:
            if one.said is not None and not self._is_taken(one.position, one.said):
                return
            self.reached = one.position

    def _is_taken(self, position: int, said: Mapping[str, Any]) -> bool:
        body = body_of(said, self.workspace.clock())
        headers = {"Content-Type": "application/json; charset=utf-8", "Tasuki-Delivery": str(position)}
        if self.webhook.secret:
            headers["Tasuki-Signature"] = signature(body, self.webhook.secret)
        outcome = post(self.webhook, body, headers)
        remember(self.workspace, self.webhook, position, outcome)
        return outcome.is_taken


def body_of(said: Mapping[str, Any], sent_at: datetime) -> bytes:
    """What goes over the line. When it was sent stands inside, so the signature covers it as well."""
    return json.dumps({**said, "sent_at": to_text(sent_at)}, ensure_ascii=False).encode()


def _remember(workspace: Workspace, one: _Round) -> None:
    if one.reached == 0:
        return
    try:
        workspace.ledger.move_cursor(cursor_name(one.webhook), one.reached)
    except TasukiError:
        return  # Not remembered: it is delivered once more, with the same `Tasuki-Delivery`.
