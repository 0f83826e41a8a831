"""A card drawn for one reader is shown to the next, and drawn again as soon as it has something else to say."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from litestar.testing import TestClient
from markupsafe import Markup
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.clock import MovableClock
from tasuki.flow.event import TEAM_STREAM, NewEvent
from tasuki.flow.playbook import default_playbook
from tasuki.language import Formats
from tasuki.store.ledger import Ledger
from tasuki.web.app import create_app
from tasuki.web.board import Card, Waiting, card_of
from tasuki.web.fragments import DrawnCards, Fragments

IDEA = "idea-803"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOW)


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path, clock: MovableClock) -> Iterator[TestClient]:
    tell_board(ledger)
    stages = ["hypothesis", "data_preparation"]
    opening = {"title": "札の案", "flow": "model", "formation": "all_in_one", "stages": stages}
    ledger.append(IDEA, 0, [NewEvent("idea_opened", "aoi", NOW - timedelta(days=3), opening)])
    workspace = replace(workspace_of(ledger, tmp_path), clock=clock)
    with TestClient(create_app(workspace), base_url="http://127.0.0.1") as one:
        yield one


def card(client: TestClient, query: str = "") -> str:
    page = client.get(f"/{query}")
    assert page.status_code == 200
    return page.text.partition(f'<a href="/ideas/{IDEA}">')[2].partition("</li>")[0]


def test_it_reads_the_same_to_the_next_reader(client: TestClient, ledger: Ledger) -> None:
    first = card(client)
    assert "3日" in first
    ledger.append(IDEA, ledger.length(IDEA), [NewEvent("comment_added", "ren", NOW, {"text": "読みました"})])
    assert card(client) == first


def test_it_grows_old(client: TestClient, clock: MovableClock) -> None:
    for days in (3, 4, 5):
        assert f"{days}日" in card(client)
        clock.advance(days=1)


def test_an_offer_is_seen_at_once_and_waits_longer_each_day(
    client: TestClient, ledger: Ledger, clock: MovableClock
) -> None:
    assert "waiting" not in card(client)
    offered = {"from_stage": "hypothesis", "to_stage": "data_preparation", "to_member": "ren", "note": ""}
    offered |= {"evidence": [], "checks": []}
    ledger.append(IDEA, ledger.length(IDEA), [NewEvent("handoff_offered", "aoi", NOW, offered)])
    first = card(client)
    assert "waiting" in first
    clock.advance(days=2)
    assert card(client) != first


def test_each_language_has_its_own(client: TestClient) -> None:
    japanese, english = card(client, "?lang=ja"), card(client, "?lang=en")
    assert "3 days" in english
    assert (card(client, "?lang=ja"), card(client, "?lang=en")) == (japanese, english)


def test_a_holder_who_is_called_differently_is_told_by_the_new_name(client: TestClient, ledger: Ledger) -> None:
    for name in ("葵 その一", "葵 その二"):
        told = {"name": "aoi", "roles": ["analyst"], "language": "ja", "display_name": name}
        ledger.append(TEAM_STREAM, ledger.length(TEAM_STREAM), [NewEvent("member_added", "aoi", NOW, told)])
        assert name in card(client)


def test_only_what_is_written_tells_cards_apart(ledger: Ledger) -> None:
    tell_board(ledger)
    some = card_of(ledger.shelf().active.states[0], default_playbook(), NOW)
    one = replace(some, age_days=20.0, estimate_days=30.0, waiting=Waiting("offered", "ren", (), "evaluation", 12.0))
    drawn = DrawnCards(Fragments(), Formats("ja"), 1)
    drawn.keep(one, Markup("as it is"))
    assert drawn.get(replace(one, age_days=20.001)) == "as it is"
    assert one.waiting is not None
    others: list[Card] = [
        replace(one, age_days=21.0),
        replace(one, age_days=20.0, estimate_days=19.0),
        replace(one, waiting=replace(one.waiting, days=14.0)),
        replace(one, waiting=replace(one.waiting, member="mio")),
        replace(one, waiting=None),
        replace(one, title="another"),
        replace(one, debts=one.debts + 1),
    ]
    assert [drawn.get(other) for other in others] == [None] * len(others)
    assert replace(drawn, team=2).get(one) is None
    assert replace(drawn, formats=Formats("en")).get(one) is None
