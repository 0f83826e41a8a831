"""A form that is pressed twice does its thing once; the same page may say another thing after the reader went back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from guarded_team import guarded, signed_in, visiting
from litestar.testing import TestClient

from tasuki.actions.workspace import Workspace


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Workspace]:
    with guarded(tmp_path) as workspace:
        yield workspace


@pytest.fixture
def client(team: Workspace) -> Iterator[TestClient]:
    with visiting(team) as one:
        signed_in(team, one, "aoi")
        yield one


def shown(client: TestClient, page: str) -> dict[str, str]:
    text = client.get(page).text
    return {name: re.search(f'name="{name}" value="([^"]+)"', text)[1] for name in ("_mark", "_once")}  # type: ignore[index]


def comments(team: Workspace) -> list[str]:
    return [str(one.body["text"]) for one in team.ledger.events("idea-2") if one.kind == "comment_added"]


def test_a_comment_that_is_sent_twice_stands_once(client: TestClient, team: Workspace) -> None:
    before, form = comments(team), shown(client, "/ideas/idea-2")
    for text in ("読みました", "読みました", "もう一つ"):
        assert client.post("/ideas/idea-2/comment", data={**form, "text": text}).status_code == 303
    again = shown(client, "/ideas/idea-2")
    assert client.post("/ideas/idea-2/comment", data={**again, "text": "読みました"}).status_code == 303
    assert comments(team)[len(before) :] == ["読みました", "もう一つ", "読みました"]


def test_an_idea_that_is_opened_twice_is_one(client: TestClient, team: Workspace) -> None:
    form = {**shown(client, "/new-idea"), "title": "夜の入札"}
    first, second = (client.post("/new-idea", data=form).headers["location"] for _ in range(2))
    assert first == second


def test_a_program_without_a_page_is_not_held_up(client: TestClient, team: Workspace) -> None:
    form = {"_mark": shown(client, "/ideas/idea-2")["_mark"], "text": "同じ"}
    before = len(comments(team))
    for _ in range(2):
        assert client.post("/ideas/idea-2/comment", data=form).status_code == 303
    assert len(comments(team)) == before + 2
