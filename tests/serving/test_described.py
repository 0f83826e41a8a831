"""The OpenAPI document says what the service does: a machine that reads it finds no undocumented answer."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

import model_desk
from tasuki.experiments.routing import RoutedArm, Routing
from tasuki.serving.request import LARGEST_BODY
from tasuki.store.routing import save_routing

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[model_desk.Running]:
    folder: Path = tmp_path_factory.mktemp("described") / "w"
    workspace = model_desk.new_workspace(folder)
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    model_desk.train_and_publish(workspace, "challenger", model_desk.CHALLENGER, "challenger")
    workspace.close()
    arms = (RoutedArm("control", 0.5, "champion", "artifacts"), RoutedArm("treatment", 0.5, "challenger", "artifacts"))
    save_routing(folder, Routing("ctr", "described", "check", "described", arms))
    service = model_desk.start_service(folder)
    yield service
    service.stop()


def test_document_names_every_feature_of_the_served_models(service: model_desk.Running) -> None:
    status, document = service.ask("GET", "/openapi.json")
    assert status == 200
    features = document["components"]["schemas"]["Features.ctr"]
    assert features["required"] == ["app", "slot", "at"]
    assert features["properties"]["minutes_since_last"] == {"type": "number"}
    assert features["additionalProperties"] is False
    assert set(document["paths"]) == {"/v1/models/ctr/score", "/health", "/ready", "/metrics", "/openapi.json"}


def test_requests_made_from_the_document_get_documented_answers(service: model_desk.Running) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{service.port}/openapi.json")
    operations = {one.path: one for one in (result.ok() for result in schema.get_all_operations())}
    assert set(operations) >= {"/v1/models/ctr/score", "/health", "/ready", "/metrics"}
    for path, operation in operations.items():
        play(operation, GenerationMode.POSITIVE, 60 if path.endswith("/score") else 3)
    # The other paths take no input that could be wrong.
    play(operations["/v1/models/ctr/score"], GenerationMode.NEGATIVE, 120)


def test_bodies_in_chunks_get_the_answers_that_the_document_promises(service: model_desk.Running) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{service.port}/openapi.json")
    operation = schema["/v1/models/ctr/score"]["POST"]

    def in_chunks(case: Any) -> None:
        given = requests.Request(**case.as_transport_kwargs()).prepare()
        body = given.body.encode() if isinstance(given.body, str) else given.body
        if not isinstance(body, bytes) or not body:
            return  # nothing that could come in chunks
        parts = (body[start : start + 7] for start in range(0, len(body), 7))
        headers = {name: value for name, value in given.headers.items() if name.lower() != "content-length"}
        answer = requests.request(given.method, given.url, data=parts, headers=headers, timeout=10)
        assert answer.request.headers["transfer-encoding"] == "chunked"
        case.validate_response(answer, checks=CHECKS)

    play(operation, GenerationMode.POSITIVE, 25, in_chunks)
    play(operation, GenerationMode.NEGATIVE, 40, in_chunks)


@pytest.mark.parametrize(("over", "expected"), [(0, 200), (1, 400)])
def test_texts_of_the_documented_length_are_taken_and_longer_ones_refused(
    service: model_desk.Running, over: int, expected: int
) -> None:
    _, document = service.ask("GET", "/openapi.json")
    schemas = document["components"]["schemas"]
    longest = schemas["Features.ctr"]["properties"]["app"]["maxLength"]
    assert schemas["Features.ctr"]["properties"]["os"]["maxLength"] == longest
    assert schemas["Row.ctr"]["properties"]["unit"]["anyOf"][0]["maxLength"] == longest
    features = {"app": "a", "slot": "b", "at": "2026-03-12T01:30:00Z"}
    long = "x" * (longest + over)
    for body in (
        {"unit": long, "features": features},
        {"unit": "u", "features": {**features, "app": long}},
        {"unit": "u", "features": {**features, "os": long}},
    ):
        assert service.score(body)[0] == expected


@pytest.mark.parametrize(("size", "expected"), [(LARGEST_BODY, b" 200 "), (LARGEST_BODY + 1, b" 400 ")])
def test_a_body_in_chunks_has_the_same_limit_as_one_whose_size_is_said(
    service: model_desk.Running, size: int, expected: bytes
) -> None:
    row = json.dumps({"unit": "u", "features": {"app": "a", "slot": "b", "at": "2026-03-12T01:30:00Z"}}).encode()
    body = row + b" " * (size - len(row))
    for headers, sent in (
        (f"content-length: {size}", body),
        ("transfer-encoding: chunked", b"".join(chunk(body[at : at + 65_536]) for at in range(0, size, 65_536)) + END),
    ):
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
            connection.sendall(HEAD + headers.encode() + b"\r\n\r\n" + sent)
            assert expected in connection.recv(200).split(b"\r\n")[0] + b" "


def test_many_small_bodies_in_chunks_may_be_on_their_way_at_once(service: model_desk.Running) -> None:
    body = json.dumps({"unit": "u", "features": {"app": "a", "slot": "b", "at": "2026-03-12T01:30:00Z"}}).encode()
    opened = [socket.create_connection(("127.0.0.1", service.port), timeout=10) for _ in range(60)]
    try:
        for one in opened:
            one.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk(body[:40]))
        for one in opened:
            one.sendall(chunk(body[40:]) + END)
        assert {one.recv(200).split(b" ")[1] for one in opened} == {b"200"}
    finally:
        for one in opened:
            one.close()


HEAD = b"POST /v1/models/ctr/score HTTP/1.1\r\nhost: x\r\n"
END = b"0\r\n\r\n"


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


def as_it_is(case: Any) -> None:
    case.call_and_validate(checks=CHECKS)


def play(operation: Any, mode: GenerationMode, examples: int, send: Callable[[Any], None] = as_it_is) -> None:
    @settings(max_examples=examples, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        send(case)

    check()
