"""The OpenAPI document says what the service does: a machine that reads it finds no undocumented answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
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


def play(operation: Any, mode: GenerationMode, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    check()
