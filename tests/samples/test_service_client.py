import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import tasuki.samples.client as client_module
from tasuki.errors import Invalid, Unavailable
from tasuki.samples.client import ServiceAddress, ServiceClient
from tasuki.samples.exchange import World
from tasuki.samples.oracle import recency_blind
from tasuki.samples.play import Stage, play
from tasuki.samples.scoring import LocalScorer

WORLD = World(seed=8, users=2_000)


class Desk(BaseHTTPRequestHandler):
    """Answers as the inference service does: the score of a row depends on its features alone."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, answer = self.server.answer(self.path, asked)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def answer_well(path, asked):
    count = len(asked["units"])
    scores = [0.004 + minutes / 1e6 for minutes in asked["columns"]["minutes_since_last"]]
    exposures = [f"{unit}/{at}" for unit, at in zip(asked["units"], asked["columns"]["at"], strict=True)]
    return 200, {
        "exposures": exposures,
        "arms": ["control"] * count,
        "versions": ["v"] * count,
        "scores": scores,
        "fallbacks": [False] * count,
        "reasons": [None] * count,
    }


@pytest.fixture
def desk():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    server.answer = answer_well
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(client_module, "_PAUSES_S", (0.01, 0.01, 0.01))


def ask(server, **options):
    return ServiceClient(ServiceAddress("ctr", port=server.server_address[1], **options))


def test_the_service_and_a_local_policy_with_the_same_scores_play_the_same(desk, tmp_path):
    local = LocalScorer({"control": lambda request: 0.004 + request.opportunities.minutes_since_last / 1e6})
    expected = play(Stage(WORLD), range(1), 3_000, local)
    for batch, connections in ((7, 3), (100, 1), (1_000, 4)):
        with ask(desk, batch=batch, connections=connections) as service:
            seen = play(Stage(WORLD), range(1), 3_000, service)
        assert seen.arms == expected.arms


def test_requests_carry_the_columns_of_the_training_log(desk):
    seen = []

    def note(path, asked):
        seen.append((path, asked))
        return answer_well(path, asked)

    desk.answer = note
    with ask(desk) as service:
        play(Stage(WORLD), range(1), 200, service)
    path, asked = seen[0]
    assert path == "/v1/models/ctr/score"
    assert set(asked["columns"]) == {"at", "app", "slot", "os", "minutes_since_last"}
    assert asked["columns"]["at"][0].startswith("2026-04-01T00:")
    assert asked["columns"]["at"][0].endswith("Z")


def test_a_service_that_stumbles_is_asked_again(desk):
    stumbles = iter([503, 500])

    def stumble(path, asked):
        status = next(stumbles, None)
        return (status, {"error": "busy"}) if status else answer_well(path, asked)

    desk.answer = stumble
    with ask(desk, connections=1) as service:
        assert play(Stage(WORLD), range(1), 100, service).answered == 100


def test_a_service_that_is_down_is_said_to_be_unavailable(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ServiceClient(ServiceAddress("ctr", port=port)) as service, pytest.raises(Unavailable) as caught:
        play(Stage(WORLD, folder=tmp_path / "outcomes"), range(1), 100, service)
    assert str(port) in caught.value.what
    assert "tasuki model serve" in caught.value.next_step
    assert list((tmp_path / "outcomes").iterdir()) == []


def test_days_that_were_complete_stay_when_the_service_goes_away(desk, tmp_path):
    def vanish(path, asked):
        return answer_well(path, asked) if asked["columns"]["at"][0] < "2026-04-02" else (503, {})

    desk.answer = vanish
    with ask(desk) as service, pytest.raises(Unavailable):
        play(Stage(WORLD, folder=tmp_path), range(3), 200, service)
    assert [path.name for path in tmp_path.iterdir()] == ["play-day-000.parquet"]


def test_a_refusal_is_passed_on_and_not_repeated(desk):
    asked_times = []

    def refuse(path, asked):
        asked_times.append(path)
        return 404, {"error": "no model ctr"}

    desk.answer = refuse
    with ask(desk, connections=1) as service, pytest.raises(Invalid, match="no model ctr"):
        play(Stage(WORLD), range(1), 100, service)
    assert len(asked_times) == 1


@pytest.mark.parametrize("answer", [{"scores": []}, {}, []])
def test_an_answer_that_does_not_fit_the_question_is_refused(desk, answer):
    desk.answer = lambda path, asked: (200, answer)
    with ask(desk, connections=1) as service, pytest.raises(Invalid):
        play(Stage(WORLD), range(1), 100, service)


def test_local_exposures_are_unique():
    scorer = LocalScorer({"all": recency_blind})
    summary = play(Stage(WORLD), range(1), 500, scorer)
    assert summary.answered == 500
    assert np.isfinite(summary.arms["all"].expected_clicks)
