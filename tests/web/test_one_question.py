"""A page asks the ledger once who asks and how far it has grown, and shows nothing that is older than that."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from guarded_team import signed_in
from litestar.testing import TestClient
from plain_workspace import workspace_of
from sqlalchemy import event
from told_ideas import NOW, tell_board

from tasuki.accounts.account import Account
from tasuki.accounts.door import Door
from tasuki.actions.account_story import store_of
from tasuki.actions.workspace import Workspace
from tasuki.flow.event import TEAM_STREAM, NewEvent
from tasuki.store.ledger import Ledger, open_ledger
from tasuki.web.app import create_app

LISTS = ("/", "/my-work", "/cases", "/experiments", "/calendar", "/metrics", "/api/v1/ideas", "/api/v1/calendar")


@pytest.fixture
def workspace(ledger: Ledger, tmp_path: Path) -> Workspace:
    tell_board(ledger)
    workspace = replace(workspace_of(ledger, tmp_path), door=Door("on"))
    store_of(workspace).save(Account("aoi", is_administrator=True))
    store_of(workspace).save(Account("ren"))
    return workspace


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace), base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        one.follow_redirects = False
        signed_in(workspace, one, "ren")
        yield one


@pytest.fixture
def elsewhere(ledger: Ledger) -> Iterator[Ledger]:
    """The same ledger, opened by another process."""
    opened = open_ledger(ledger.engine.url.render_as_string(hide_password=False))
    yield opened
    opened.close()


def asked_by(ledger: Ledger, ask: Callable[[], object]) -> list[str]:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement != "BEGIN":
            asked.append(statement)

    event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(ledger.engine, "before_cursor_execute", note)
    return asked


@pytest.mark.parametrize("page", LISTS)
def test_a_list_asks_the_ledger_once(workspace: Workspace, client: TestClient, page: str) -> None:
    assert client.get(page).status_code == 200
    assert len(asked_by(workspace.ledger, lambda: client.get(page))) == 1


def test_what_another_process_wrote_is_on_the_next_page(client: TestClient, elsewhere: Ledger) -> None:
    opening = {"title": "Written elsewhere", "flow": "model", "formation": "all_in_one", "stages": ["hypothesis"]}
    for number in range(3):
        assert f"Written elsewhere {number}" not in client.get("/").text
        body = {**opening, "title": f"Written elsewhere {number}"}
        elsewhere.append(f"idea-{700 + number}", 0, [NewEvent("idea_opened", "aoi", NOW, body)])
        assert f"Written elsewhere {number}" in client.get("/").text


def test_a_name_that_was_changed_elsewhere_is_on_the_next_page(client: TestClient, elsewhere: Ledger) -> None:
    client.get("/my-work")
    for name in ("蓮 その一", "蓮 その二"):
        told = {"name": "ren", "roles": ["data_scientist"], "language": "ja", "display_name": name}
        elsewhere.append(TEAM_STREAM, elsewhere.length(TEAM_STREAM), [NewEvent("member_added", "aoi", NOW, told)])
        assert name in client.get("/my-work").text


def test_a_session_that_was_ended_elsewhere_shows_nothing_more(
    workspace: Workspace, client: TestClient, elsewhere: Ledger
) -> None:
    assert client.get("/").status_code == 200
    store_of(replace(workspace, ledger=elsewhere)).close_sessions("ren")
    assert client.get("/").status_code == 303


def test_a_disabled_account_shows_nothing_more(workspace: Workspace, client: TestClient, elsewhere: Ledger) -> None:
    assert client.get("/").status_code == 200
    store_of(replace(workspace, ledger=elsewhere)).save(Account("ren", is_disabled=True))
    assert client.get("/").status_code == 303


def test_a_right_that_was_given_or_taken_counts_at_once(
    workspace: Workspace, client: TestClient, elsewhere: Ledger
) -> None:
    accounts = store_of(replace(workspace, ledger=elsewhere))
    for is_administrator, status in ((False, 403), (True, 200), (False, 403)):
        accounts.save(Account("ren", is_administrator=is_administrator))
        assert client.get("/audit").status_code == status


def test_two_readers_of_one_server_are_told_apart(workspace: Workspace, client: TestClient) -> None:
    for member, name in (("aoi", "aoi"), ("ren", "ren")) * 2:
        signed_in(workspace, client, member)
        assert client.get("/api/v1/my-work").json()["member"] == name


def test_a_ledger_of_a_moment_sees_what_it_writes_itself(ledger: Ledger) -> None:
    known = ledger.as_of(ledger.head())
    body = {"title": "Mine", "flow": "model", "formation": "all_in_one", "stages": ["hypothesis"]}
    known.append("idea-900", 0, [NewEvent("idea_opened", "aoi", NOW, body)])
    assert "idea-900" in known.shelf().ideas
