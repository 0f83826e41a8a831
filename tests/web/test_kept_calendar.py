"""The calendar drawn for one reader is shown to the next, but never when it is another's or not true any more."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from guarded_team import signed_in
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.accounts.account import Account
from tasuki.accounts.door import Door
from tasuki.actions.account_story import store_of
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.flow.event import TEAM_STREAM, NewEvent
from tasuki.store.ledger import Ledger
from tasuki.web import calendar_view
from tasuki.web.app import create_app

IDEA = "idea-801"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOW)


@pytest.fixture
def workspace(ledger: Ledger, tmp_path: Path, clock: MovableClock) -> Workspace:
    tell_board(ledger)
    opening = {"title": "枠の要る案", "flow": "model", "formation": "all_in_one", "stages": ["ab_check"]}
    ledger.append(IDEA, 0, [NewEvent("idea_opened", "aoi", NOW, opening)])
    workspace = replace(workspace_of(ledger, tmp_path), door=Door("on"), clock=clock)
    for member in ("aoi", "ren"):
        store_of(workspace).save(Account(member))
    return workspace


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace), base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        signed_in(workspace, one, "ren")
        yield one


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The calendars that were made into lanes."""
    seen: list[object] = []
    make = calendar_view.view_of
    monkeypatch.setattr(calendar_view, "view_of", lambda calendar: seen.append(calendar) or make(calendar))
    return seen


def lanes(client: TestClient, query: str = "") -> str:
    page = client.get(f"/calendar{query}")
    assert page.status_code == 200
    return page.text.partition('<section class="panel"')[2].rpartition('<section class="panel"')[0]


def write(ledger: Ledger, kind: str, /, **body: object) -> None:
    ledger.append(IDEA, ledger.length(IDEA), [NewEvent(kind, "aoi", NOW, body)])


def book(ledger: Ledger, name: str, days_ahead: int) -> None:
    first = (NOW + timedelta(days=days_ahead)).date().isoformat()
    write(ledger, "experiment_booked", name=name, kind="check", days=4, **{"from": first})


def test_it_is_made_once_while_nothing_is_booked(client: TestClient, ledger: Ledger, made: list[object]) -> None:
    before = lanes(client)
    write(ledger, "comment_added", text="確認しました。")
    assert lanes(client) == before
    assert len(made) == 1


def test_a_slot_that_is_booked_moved_or_given_back_is_seen_at_once(client: TestClient, ledger: Ledger) -> None:
    assert "check-801" not in lanes(client)
    book(ledger, "check-801", 3)
    booked = lanes(client)
    assert "check-801" in booked
    book(ledger, "check-801", 9)
    assert "check-801" in (moved := lanes(client))
    assert moved != booked
    write(ledger, "experiment_released", name="check-801", reason="先に譲ります")
    assert "先に譲ります" in lanes(client)


def test_a_changed_rule_counts_at_once(client: TestClient, workspace: Workspace) -> None:
    before = lanes(client)
    (workspace.folder / "experiments.toml").write_text("[lanes]\nab1 = 7\n")
    assert lanes(client) != before


def test_the_next_day_is_another_calendar(client: TestClient, clock: MovableClock) -> None:
    before = lanes(client)
    clock.advance(days=1)
    assert lanes(client) != before


def test_each_language_has_its_own(client: TestClient) -> None:
    japanese, english = lanes(client, "?lang=ja"), lanes(client, "?lang=en")
    assert "予約はありません" in japanese
    assert "Nothing is booked here" in english
    assert (lanes(client, "?lang=ja"), lanes(client, "?lang=en")) == (japanese, english)


def test_a_member_who_is_called_differently_is_told_by_the_new_name(client: TestClient, ledger: Ledger) -> None:
    book(ledger, "check-801", 3)
    write(ledger, "experiment_released", name="check-801", reason="先に譲ります")
    for name in ("葵 その一", "葵 その二"):
        told = {"name": "aoi", "roles": ["analyst"], "language": "ja", "display_name": name}
        ledger.append(TEAM_STREAM, ledger.length(TEAM_STREAM), [NewEvent("member_added", "aoi", NOW, told)])
        assert name in lanes(client)


def test_the_form_is_each_readers_own(client: TestClient, workspace: Workspace) -> None:
    marks = set()
    for member in ("aoi", "ren"):
        mark = signed_in(workspace, client, member)
        page = client.get("/calendar").text
        assert f'value="{mark}"' in page
        assert not any(f'value="{other}"' in page for other in marks)
        marks.add(mark)


def test_few_drawings_are_kept(workspace: Workspace) -> None:
    from markupsafe import Markup

    from tasuki.actions.booking import read_calendar

    kept, members = calendar_view.KeptCalendar(), workspace.ledger.members()
    calendar = read_calendar(workspace)
    for number in range(100):
        team = {"aoi": replace(members["aoi"], display_name=f"葵 {number}")}
        drawn = kept.lanes(calendar, "ja", team)
        assert drawn.get() is None
        drawn.keep(Markup(f"{number}"))
        assert kept.lanes(calendar, "ja", team).get() == f"{number}"
    assert len(drawn.drawn) <= 8
