import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from relay_play import evidence_body
from tasuki.actions import notify, posting, relay
from tasuki.actions.evidence import attach_evidence
from tasuki.actions.workspace import Webhook, Workspace
from tasuki.errors import Refused


class Receiver:
    """A real HTTP server that keeps what it gets and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.delay_s = 0.0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(receiver.delay_s)
                if receiver.status < 300:
                    receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *said: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def documents(self) -> list[dict]:
        return [json.loads(body) for _, body in self.got]

    def kinds(self) -> list[str]:
        return [one["kind"] for one in self.documents()]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def idea(workspace: Workspace) -> str:
    opened = relay.open_idea(workspace, "較正", actor="aoi").idea
    relay.look_up_cases(workspace, opened, actor="aoi", query="較正")
    attach_evidence(workspace, opened, evidence_body("hypothesis_brief"), actor="aoi")
    return opened


def with_hooks(workspace: Workspace, *hooks: Webhook) -> Workspace:
    return replace(workspace, webhooks=hooks)


def test_offers_pick_ups_acceptances_and_returns_are_told_in_order(workspace, idea, receiver):
    there = with_hooks(workspace, Webhook(receiver.url))
    relay.offer_handoff(there, idea, actor="aoi", to_member="haru", note="please")
    relay.pick_up_handoff(there, idea, actor="haru")
    relay.return_handoff(there, idea, actor="haru", reason_code="other", reason="which app?")
    relay.comment(there, idea, actor="aoi", text="all")
    relay.offer_handoff(there, idea, actor="aoi")
    relay.pick_up_handoff(there, idea, actor="haru")
    relay.accept_handoff(there, idea, actor="haru", answer="yes", estimate_days=1)
    assert receiver.kinds() == [
        "handoff_offered", "handoff_picked_up", "handoff_returned",
        "handoff_offered", "handoff_picked_up", "handoff_accepted",
    ]  # fmt: skip
    first = receiver.documents()[0]
    assert first["schema"] == "tasuki.notification/1"
    assert (first["idea"], first["title"], first["to_member"]) == (idea, "較正", "haru")
    assert first["text"] == f"{idea} 較正: offered to investigation (haru) by aoi: please"


def test_a_secret_signs_the_body_and_without_one_nothing_is_signed(workspace, idea, receiver):
    other = Receiver()
    there = with_hooks(workspace, Webhook(receiver.url, "hush"), Webhook(other.url))
    relay.offer_handoff(there, idea, actor="aoi")
    headers, body = receiver.got[0]
    digest = hmac.new(b"hush", body, hashlib.sha256).hexdigest()
    assert headers["Tasuki-Signature"] == f"sha256={digest}"
    assert "Tasuki-Signature" not in other.got[0][0]
    other.server.shutdown()
    other.server.server_close()


def test_a_new_webhook_does_not_hear_old_stories(workspace, idea, receiver):
    relay.offer_handoff(workspace, idea, actor="aoi")
    there = with_hooks(workspace, Webhook(receiver.url))
    relay.pick_up_handoff(there, idea, actor="haru")
    assert receiver.kinds() == ["handoff_picked_up"]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_a_webhook_missed_is_delivered_later_in_order_and_once(workspace, idea, receiver, status):
    there = with_hooks(workspace, Webhook(receiver.url))
    receiver.status = status
    relay.offer_handoff(there, idea, actor="aoi")
    relay.pick_up_handoff(there, idea, actor="haru")
    assert receiver.got == []
    receiver.status = 200
    relay.return_handoff(there, idea, actor="haru", reason_code="other", reason="x")
    assert receiver.kinds() == ["handoff_offered", "handoff_picked_up", "handoff_returned"]
    numbers = [int(headers["Tasuki-Delivery"]) for headers, _ in receiver.got]
    assert numbers == sorted(set(numbers))


def test_a_dead_webhook_stops_neither_the_action_nor_the_other_webhooks(workspace, idea, receiver):
    gone = Receiver()
    gone.server.server_close()
    gone.server.shutdown()
    there = with_hooks(workspace, Webhook(gone.url), Webhook(receiver.url))
    state = relay.offer_handoff(there, idea, actor="aoi")
    assert state.offer is not None
    assert receiver.kinds() == ["handoff_offered"]


def test_a_webhook_that_does_not_answer_holds_an_action_up_only_so_long(workspace, idea, receiver, monkeypatch):
    monkeypatch.setattr(notify, "PATIENCE_S", 0.3)
    monkeypatch.setattr(posting, "PATIENCE_S", 0.3)
    receiver.delay_s = 1.5
    there = with_hooks(workspace, Webhook(receiver.url))
    began = time.monotonic()
    relay.offer_handoff(there, idea, actor="aoi")
    assert time.monotonic() - began < 1.2
    assert workspace.ledger.state(idea).offer is not None


def test_a_refused_action_tells_nothing(workspace, idea, receiver):
    there = with_hooks(workspace, Webhook(receiver.url))
    with pytest.raises(Refused, match="nothing of"):
        relay.accept_handoff(there, idea, actor="haru", answer="yes", estimate_days=1)
    assert receiver.got == []


def test_the_cursors_name_holds_no_secret_of_the_address():
    hook = Webhook("https://chat.example/hook?token=hush", "secret")
    assert "hush" not in notify.cursor_name(hook)
    assert "secret" not in repr(hook)
