"""REST against its own description: schemathesis sends what the description allows and what it does not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance
from told_ideas import tell_board

from conftest import workspace_of
from tasuki.accounts.door import Door
from tasuki.accounts.rights import SCOPES
from tasuki.actions.tokens import TokenWish, make_token
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app

Described = tuple[BaseSchema, dict[str, str]]
EXAMPLES = 12
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    folder: Path = tmp_path_factory.mktemp("rest")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    workspace = replace(workspace_of(ledger, folder), door=Door(sign_in="on"))
    tell_board(workspace.ledger)
    secret, _ = make_token(workspace, "aoi", TokenWish("contract", SCOPES), actor="aoi")
    app = create_app(workspace)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers={"host": "127.0.0.1"})
    yield schema, {"Authorization": f"Bearer {secret}", "Host": "127.0.0.1"}
    workspace.close()


def test_every_endpoint_keeps_what_its_description_says(described: Described) -> None:
    schema, headers = described
    broken = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        try:
            _try(operation, headers)
        except BaseException as failure:  # hypothesis raises groups as well
            broken[operation.label] = str(failure)[:2000]
    assert not broken, "\n\n".join(f"{label}: {why}" for label, why in broken.items())


def _try(operation: APIOperation, headers: dict[str, str]) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def check(case: schemathesis.Case) -> None:
        if operation.path.endswith("/events"):
            case.query = {**(case.query or {}), "once": "true", "after": 0}
        # What the schema allows a rule of the relay may still refuse: a blank title, a cursor of another list.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    check()
