"""REST against its own description, asked as each who may ask: what it allows and what it does not.

Every answer must be described: no status, media type or document that the description does not say, and never 500.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from plain_workspace import workspace_of
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance
from told_ideas import tell_board

from tasuki.accounts.account import Account
from tasuki.accounts.door import Door
from tasuki.accounts.rights import SCOPES, Scope
from tasuki.actions.account_story import store_of
from tasuki.actions.tokens import TokenWish, make_token
from tasuki.actions.workspace import Webhook, Workspace
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app

Described = tuple[BaseSchema, Workspace]
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ASKING: dict[str, tuple[str, Sequence[Scope], int]] = {
    "an administrator": ("aoi", SCOPES, 5),
    "a member": ("ren", ("read", "relay", "run"), 2),
}
"""Who, with which scopes, and how many examples of each operation; what is refused to others is in test_rest."""


@pytest.fixture
def described(tmp_path: Path) -> Iterator[Described]:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: NOW)
    hook = Webhook("http://127.0.0.1:9/nobody")
    workspace = replace(workspace_of(ledger, tmp_path), door=Door(sign_in="on"), webhooks=(hook,))
    tell_board(workspace.ledger)
    store_of(workspace).save(Account("aoi", is_administrator=True))
    store_of(workspace).save(Account("ren"))
    app = create_app(workspace)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers={"host": "127.0.0.1"})
    yield schema, workspace
    workspace.close()


@pytest.mark.slow
@pytest.mark.parametrize("who", ASKING)
def test_every_endpoint_keeps_what_its_description_says(described: Described, who: str) -> None:
    schema, workspace = described
    member, scopes, examples = ASKING[who]
    secret, _ = make_token(workspace, member, TokenWish("contract", scopes), actor="aoi")
    headers = {"Host": "127.0.0.1", "Authorization": f"Bearer {secret}"}
    broken, asked = {}, 0
    for found in schema.get_all_operations():
        operation = found.ok()
        asked += 1
        try:
            _try(operation, headers, examples)
        except BaseException as failure:  # hypothesis raises groups as well
            broken[operation.label] = str(failure)[:2000]
    assert not broken, "\n\n".join(f"{label}: {why}" for label, why in broken.items())
    assert asked > 50


def _try(operation: APIOperation, headers: dict[str, str], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def check(case: schemathesis.Case) -> None:
        if operation.path.endswith("/events"):
            case.query = {**(case.query or {}), "once": "true", "after": 0}
        # What the schema allows a rule of the relay may still refuse: a blank title, a cursor of another list.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    check()
