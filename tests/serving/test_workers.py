"""Several processes on one port, slow clients, and an end that drops nobody."""

import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import model_desk
from tasuki.serving import app as app_module

FEATURES = {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z"}
BODY = json.dumps({"unit": "u", "features": FEATURES}).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workers") / "w"
    workspace = model_desk.new_workspace(folder)
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    workspace.close()
    return folder


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[model_desk.Running]:
    service = model_desk.start_service(folder, "--workers", "2", "--durable")
    service.wait(lambda health: health["status"] == "ok")
    yield service
    service.stop()


def metric(service: model_desk.Running, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(float(value) for value in re.findall(rf"^tasuki_{name}(?:{{.*}})? (\S+)$", text, re.M))


def pids(service: model_desk.Running) -> set[int]:
    health = service.health()
    return {health["worker"]["pid"], *(one["pid"] for one in health["other_workers"])}


def test_metrics_count_the_requests_of_every_worker(pair: model_desk.Running) -> None:
    before = metric(pair, "requests_total")
    for _ in range(30):
        assert pair.score({"unit": "u", "features": FEATURES})[0] == 200
    assert pair.score({"unit": "u"})[0] == 400
    until = time.monotonic() + 5
    while metric(pair, "requests_total") < before + 31 and time.monotonic() < until:
        time.sleep(0.1)
    assert metric(pair, "requests_total") == before + 31
    assert metric(pair, "request_seconds_count") == before + 31


def test_counters_never_go_back_whichever_worker_is_asked(pair: model_desk.Running) -> None:
    told = []
    for _ in range(60):
        assert pair.score({"unit": "u", "features": FEATURES})[0] == 200
        told.append(metric(pair, "requests_total"))
    assert told == sorted(told)


def test_killed_worker_is_replaced_and_loses_nothing_that_was_answered(folder: Path, pair: model_desk.Running) -> None:
    told, before = [], pids(pair)
    for _ in range(20):
        told.append(pair.score({"unit": "u", "features": FEATURES})[1]["exposure"])
    os.kill(pair.health()["worker"]["pid"], signal.SIGKILL)
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            now = pids(pair)
            if len(now) == 2 and now != before and pair.health()["status"] == "ok":
                break
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    assert len(now - before) == 1
    until = time.monotonic() + 5
    while time.monotonic() < until and not set(told) <= {row["exposure"] for row in model_desk.exposures(folder)}:
        time.sleep(0.1)
    logged = [row["exposure"] for row in model_desk.exposures(folder)]
    assert set(told) <= set(logged)
    assert len(logged) == len(set(logged))


def test_stop_answers_all_it_took_and_is_not_ready_meanwhile(folder: Path) -> None:
    service = model_desk.start_service(folder, "--durable", "--drain-s", "1.0")
    told: list[str] = []
    refused: list[object] = []

    def ask() -> None:
        while True:
            try:
                status, answer = service.score({"unit": "meanwhile", "features": FEATURES})
            except (OSError, http.client.HTTPException):
                return  # the port is closed; what was not taken is asked elsewhere
            if status == 200:
                told.append(answer["exposure"])
            else:
                refused.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    service.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert service.ask("GET", "/ready")[0] == 503
    assert service.score({"unit": "after", "features": FEATURES})[0] == 200
    assert service.process.wait(15) == 0
    for thread in threads:
        thread.join()
    logged = {row["exposure"]: row["unit"] for row in model_desk.exposures(folder)}
    assert refused == []
    assert len(told) > 10
    assert {name for name, unit in logged.items() if unit == "meanwhile"} == set(told)


def test_body_that_trickles_is_given_up_and_others_are_answered(
    pair: model_desk.Running,
) -> None:
    slow = []
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", pair.port), timeout=20)
        connection.sendall(b"POST /v1/models/ctr/score HTTP/1.1\r\nhost: x\r\ncontent-length: 200\r\n\r\n{")
        slow.append(connection)
    try:
        began = time.monotonic()
        assert pair.score({"unit": "u", "features": FEATURES})[0] == 200
        assert time.monotonic() - began < 2
    finally:
        for connection in slow[1:]:
            connection.close()
    answer = slow[0].recv(4096)
    slow[0].close()
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert time.monotonic() - began < app_module.BODY_S + 4
