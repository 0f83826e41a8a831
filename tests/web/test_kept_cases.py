"""A case that was drawn for one reader is shown to the next, but never in another language or as it was before."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.flow.event import TEAM_STREAM, NewEvent
from tasuki.store.ledger import Ledger
from tasuki.web.app import create_app
from tasuki.web.case_choice import CaseChoice
from tasuki.web.case_list import list_cases
from tasuki.web.fragments import DrawnCases, Fragments

IDEA = "idea-802"
OPENING = {"title": "<b>一度きりの案</b>", "flow": "model", "formation": "all_in_one", "stages": ["hypothesis"]}


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> Iterator[TestClient]:
    tell_board(ledger)
    with TestClient(create_app(workspace_of(ledger, tmp_path)), base_url="http://127.0.0.1") as one:
        yield one


def end(ledger: Ledger, reason: str) -> None:
    told = [NewEvent("idea_opened", "aoi", NOW, OPENING), NewEvent("idea_killed", "aoi", NOW, {"reason": reason})]
    ledger.append(IDEA, 0, told)


def cases(client: TestClient, query: str = "") -> str:
    page = client.get(f"/cases{query}")
    assert page.status_code == 200
    return page.text.partition('<ul class="case-list">')[2].partition("</ul>\n")[0]


def test_an_idea_that_ends_is_on_the_next_page_and_found(client: TestClient, ledger: Ledger) -> None:
    assert "一度きり" not in cases(client)
    assert "一度きり" not in client.get("/cases?q=一度きり").text.partition("<ul")[2]
    end(ledger, "見送ります")
    for query in ("", "?q=一度きり", "?decision=killed"):
        assert "&lt;b&gt;一度きりの案&lt;/b&gt;" in cases(client, query)
        assert "見送ります" in cases(client, query)


def test_it_reads_the_same_to_the_next_reader(client: TestClient, ledger: Ledger) -> None:
    end(ledger, "見送ります")
    first = cases(client)
    ledger.append("idea-2", ledger.length("idea-2"), [NewEvent("comment_added", "ren", NOW, {"text": "読みました"})])
    assert cases(client) == first


def test_each_language_has_its_own(client: TestClient) -> None:
    japanese, english = cases(client, "?lang=ja"), cases(client, "?lang=en")
    assert japanese != english
    assert (cases(client, "?lang=ja"), cases(client, "?lang=en")) == (japanese, english)


def test_an_owner_who_is_called_differently_is_told_by_the_new_name(client: TestClient, ledger: Ledger) -> None:
    end(ledger, "見送ります")
    for name in ("葵 その一", "葵 その二"):
        told = {"name": "aoi", "roles": ["analyst"], "language": "ja", "display_name": name}
        ledger.append(TEAM_STREAM, ledger.length(TEAM_STREAM), [NewEvent("member_added", "aoi", NOW, told)])
        assert name in cases(client)


def test_a_list_is_made_once_for_what_is_asked_and_for_nothing_else(ledger: Ledger) -> None:
    tell_board(ledger)
    ended = ledger.shelf().ended
    whole = list_cases(ended, "", 1, 1)
    assert list_cases(ended, "", 1, 1) is whole
    others = [list_cases(ended, "", 2, 1), list_cases(ended, "", 1, 2), list_cases(ended, "no such word", 1, 1)]
    others.append(list_cases(ended, "", 1, 1, CaseChoice(decision="killed")))
    assert all(one != whole for one in others)


def test_two_cases_that_differ_in_anything_are_drawn_apart(ledger: Ledger) -> None:
    from markupsafe import Markup

    tell_board(ledger)
    drawn, line = DrawnCases(Fragments(), "ja", 1), list_cases(ledger.shelf().ended, "").lines[0]
    drawn.keep(line, Markup("as it is"))
    assert drawn.get(line) == "as it is"
    for other in (replace(line, reason="another"), replace(line, ended=replace(line.ended, effect=0.125))):
        assert drawn.get(other) is None
    assert replace(drawn, team=2).get(line) is None
    assert replace(drawn, language="en").get(line) is None
