"""Every list of REST is read page by page, and everything that changes something takes a key: over the description."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from guarded_team import API, guarded, visiting
from litestar.testing import TestClient

from tasuki.accounts.rights import SCOPES
from tasuki.actions import relay, tokens
from tasuki.actions.deliveries import name_of, remember
from tasuki.actions.posting import Outcome
from tasuki.actions.workspace import Webhook, Workspace

HOOKS = (Webhook("https://chat.example/a"), Webhook("https://chat.example/b"))
NO_LIST = {
    f"{API}/metric-check": "the names of what was checked, as one answer",
    f"{API}/experiment-status": "one model's state",
    f"{API}/events": "a stream: `after` and Last-Event-ID",
    f"{API}/audit": "the ledger itself: by position, with `after` and `next_after`",
    f"{API}/ideas/{{idea}}/experiments/{{experiment}}/report": "a file",
}
WHOLE = {f"{API}/calendar": {"given_back"}}
"""Lists that stand whole beside the one that is read by pages."""
NO_KEY = {
    f"{API}/calculations/compare": "changes nothing",
    f"{API}/calculations/offline-compare": "changes nothing",
    f"{API}/calculations/plan": "changes nothing",
    f"{API}/calculations/assign": "changes nothing",
    f"{API}/webhooks/{{webhook}}/deliver": "what was taken is not sent again",
}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with guarded(tmp_path_factory.mktemp("lists")) as workspace:
        there = replace(workspace, webhooks=HOOKS)
        relay.comment(workspace, "idea-2", actor="aoi", text="more")
        for position in range(4):
            remember(there, HOOKS[0], position, Outcome(200, "taken", 1))
        for n in range(3):
            tokens.make_token(there, "aoi", tokens.TokenWish(f"t{n}", ["read"]), actor="aoi")
        yield there


@pytest.fixture(scope="module")
def client(team: Workspace) -> Iterator[TestClient]:
    secret, _ = tokens.make_token(team, "aoi", tokens.TokenWish("all", SCOPES), actor="aoi")
    with visiting(team) as one:
        one.headers["authorization"] = f"Bearer {secret}"
        yield one


@pytest.fixture(scope="module")
def operations(client: TestClient) -> dict[tuple[str, str], dict[str, Any]]:
    paths = client.get(f"{API}/openapi.json").json()["paths"]
    return {(method, path): one for path, methods in paths.items() for method, one in methods.items()}


def parameters(operation: dict[str, Any]) -> set[str]:
    return {one["name"].lower() for one in operation.get("parameters", ())}


def lists(operations: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    return sorted(
        path for method, path in operations if method == "get" and not path.endswith("}") and path not in NO_LIST
    )


def test_every_list_takes_a_limit_and_a_cursor(operations: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert set(NO_LIST) <= {path for _, path in operations}
    without = [one for one in lists(operations) if not {"limit", "cursor"} <= parameters(operations["get", one])]
    assert not without
    assert len(lists(operations)) > 10


def test_every_list_is_read_whole_by_pages_of_one(
    client: TestClient, operations: dict[tuple[str, str], dict[str, Any]]
) -> None:
    longer = 0
    for path in lists(operations):
        place = path.replace("{idea}", "idea-1").replace("{webhook}", name_of(HOOKS[0]))
        whole = client.get(place, params={"limit": 200}).json()
        (name,) = {key for key, value in whole.items() if isinstance(value, list)} - WHOLE.get(path, set())
        assert whole["next_cursor"] is None, path
        seen, cursor = [], ""
        while cursor is not None:
            asked = {"limit": 1, **({"cursor": cursor} if cursor else {})}
            part = client.get(place, params=asked).json()
            assert len(part[name]) <= 1, path
            seen += part[name]
            cursor = part["next_cursor"]
            assert len(seen) <= len(whole[name]), path
        assert seen == whole[name], path
        longer += len(seen) > 1
        assert client.get(place, params={"cursor": "bm9uZQ"}).status_code == 400, path
    assert longer >= 6


def test_everything_that_changes_something_takes_a_key(operations: dict[tuple[str, str], dict[str, Any]]) -> None:
    changing = {path: one for (method, path), one in operations.items() if method != "get"}
    without = {path for path, one in changing.items() if "idempotency-key" not in parameters(one)}
    assert without == set(NO_KEY)
    for path, operation in changing.items():
        if path not in NO_KEY:
            assert "409" in operation["responses"], f"{path}: a key that stands for another request is refused"
