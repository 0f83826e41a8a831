"""What receivers do to us: redirects, dribbled answers, names that lead inside, being away; and what is kept of it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from relay_play import evidence_body
from tasuki.actions import notify, posting, relay
from tasuki.actions.deliveries import FILE, LARGEST, deliveries_of, name_of, remember
from tasuki.actions.evidence import attach_evidence
from tasuki.actions.posting import Outcome, places_of, post
from tasuki.actions.redelivery import Redelivery, wait_after
from tasuki.actions.webhooks import deliver_now, told_webhooks
from tasuki.actions.workspace import Webhook, Workspace
from tasuki.errors import Missing


class Receiver:
    """A real HTTP server that can answer badly."""

    def __init__(self, port: int = 0) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        self.location = ""
        self.dribbles = False
        receiver = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.dribbles:
                    self._dribble()
                    return
                receiver.got.append((self.path, json.loads(body)))
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                receiver.got.append((self.path, {}))
                self.send_response(200)
                self.end_headers()

            def _dribble(self) -> None:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                for _ in range(200):
                    try:
                        self.wfile.write(b"x")
                        self.wfile.flush()
                    except OSError:
                        return
                    time.sleep(0.05)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?token=hush"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def idea(workspace: Workspace) -> str:
    opened = relay.open_idea(workspace, "較正", actor="aoi").idea
    relay.look_up_cases(workspace, opened, actor="aoi", query="較正")
    attach_evidence(workspace, opened, evidence_body("hypothesis_brief"), actor="aoi")
    return opened


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_leads_nowhere(receiver: Receiver, status: int) -> None:
    inside = Receiver()
    receiver.status, receiver.location = status, f"http://127.0.0.1:{inside.port}/admin"
    outcome = post(Webhook(receiver.url), b"{}", {})
    inside.close()
    assert (outcome.status, outcome.is_taken) == (status, False)
    assert inside.got == []


def test_an_answer_a_letter_at_a_time_is_not_waited_for(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "PATIENCE_S", 0.4)
    receiver.dribbles = True
    began = time.monotonic()
    outcome = post(Webhook(receiver.url), b"{}", {})
    assert time.monotonic() - began < 3
    assert not outcome.is_taken


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://169.254.169.254/latest/meta-data", "own network"),
        ("http://[fe80::1]/x", "own network"),
        ("http://0.0.0.0:1/x", "own network"),
        ("http://[::ffff:169.254.169.254]/x", "own network"),
        ("http://[fd00:ec2::254]/x", "own network"),
        ("http://2852039166/latest", "own network"),
        ("http://2130706433:1/x", "private place"),
        ("http://0177.0.0.1:1/x", "private place"),
    ],
)
def test_places_that_hand_out_credentials_are_never_asked(url: str, said: str) -> None:
    outcome = post(Webhook(url), b"{}", {})
    assert outcome.status == 0
    assert said in outcome.said


@pytest.mark.parametrize("place", ["10.1.2.3", "127.0.0.1", "192.168.0.7", "100.64.0.1", "::1", "fd12::1"])
def test_a_name_that_leads_inside_is_asked_only_where_that_is_meant(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    family = socket.AF_INET6 if ":" in place else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (place, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(OSError, match="private = true"):
        list(places_of("hook.example", 80, is_inside_meant=False))
    assert list(places_of("hook.example", 80, is_inside_meant=True)) == [place]
    assert list(places_of(place, 80, is_inside_meant=False)) == [place]


def test_what_was_checked_is_what_is_connected_to(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads outside when it is checked and inside a moment later gains nothing: it is resolved once."""
    asked = []
    places = iter(["93.184.216.34", "127.0.0.1"])
    connected: list[str] = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(places), port))]

    def connect(place: tuple[str, int], *_: object) -> socket.socket:
        connected.append(place[0])
        raise ConnectionRefusedError(111, "refused here")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    outcome = post(Webhook(f"http://hook.example:{receiver.port}/x"), b"{}", {})
    assert outcome.said == "no answer: refused here"
    assert (asked, connected) == (["hook.example"], ["93.184.216.34"])


def test_how_deliveries_went_is_kept_without_any_secret(workspace: Workspace, idea: str, receiver: Receiver) -> None:
    hook = Webhook(receiver.url, "signing secret")
    there = replace(workspace, webhooks=(hook,))
    receiver.status = 500
    relay.offer_handoff(there, idea, actor="aoi", note="a text of the idea")
    assert [(one.said, one.status) for one in deliveries_of(there)] == [("refused: HTTP 500", 500)]
    assert told_webhooks(there)[0].waiting
    receiver.status = 200
    told = deliver_now(there, name_of(hook))
    assert (told.waiting, told.is_signed, told.latest.said if told.latest else "") == (False, True, "taken")
    deliver_now(there, name_of(hook))
    assert len(receiver.got) == 2, "what was taken is not sent again"
    first, second = (said for _, said in receiver.got)
    assert first["position"] == second["position"]
    kept = (workspace.folder / FILE).read_text(encoding="utf-8")
    for secret in ("hush", "signing secret", "a text of the idea", "/hook"):
        assert secret not in kept + repr(told) + repr(hook)
    with pytest.raises(Missing, match="no webhook"):
        deliver_now(there, "nobody")


def test_a_log_that_is_cut_off_or_large_stops_nothing(workspace: Workspace) -> None:
    hook = Webhook("https://chat.example/x")
    file = workspace.folder / FILE
    file.write_text('{"webhook": "cut o\n' + "x" * LARGEST, encoding="utf-8")
    remember(workspace, hook, 7, Outcome(200, "taken", 3))
    assert [one.position for one in deliveries_of(workspace)] == [7]
    assert file.stat().st_size < 1_000
    file.unlink()
    file.mkdir()  # whatever lies there
    remember(workspace, hook, 8, Outcome(200, "taken", 3))
    assert deliveries_of(workspace) == []


def test_while_pages_are_served_a_receiver_that_comes_back_hears_without_another_hand_off(
    workspace: Workspace, idea: str
) -> None:
    first = Receiver()
    port, url = first.port, first.url
    first.close()
    there = replace(workspace, webhooks=(Webhook(url),))
    relay.offer_handoff(there, idea, actor="aoi")
    one, other = Redelivery(there), Redelivery(there)
    one.start()
    other.start()
    try:
        time.sleep(0.3)
        back = Receiver(port)
        for _ in range(100):
            if back.got:
                break
            time.sleep(0.1)
        time.sleep(1.5)
        assert [said["kind"] for _, said in back.got] == ["handoff_offered"], "once, although two processes look"
        assert not notify.is_waiting(there, there.webhooks[0])
        back.close()
    finally:
        one.stop()
        other.stop()


def test_a_receiver_that_stays_away_is_asked_ever_more_seldom() -> None:
    waits = [wait_after(n) for n in range(1, 40)]
    assert waits[:4] == [1, 2, 4, 8]
    assert waits == sorted(waits)
    assert waits[-1] == 300
