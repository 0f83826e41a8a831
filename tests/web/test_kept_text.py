"""What somebody wrote is there again, whatever refused it: an ended session, a rule, a limit, another tab."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from guarded_team import guarded, signed_in, visiting
from litestar.testing import TestClient

from tasuki.accounts.account import Account
from tasuki.actions.account_story import store_of
from tasuki.actions.workspace import Workspace
from tasuki.web.forms import Form

WROTE = "夜の入札は競争が少ない。\n理由は <b>3</b> つある"
LONG = "あ" * 25_000


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Workspace]:
    with guarded(tmp_path) as workspace:
        yield workspace


@pytest.fixture(params=["ja", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(team: Workspace, language: str) -> TestClient:
    one = visiting(team)
    one.headers["accept-language"] = language
    return one


def entered(team: Workspace, client: TestClient, member: str) -> str:
    """Comes in as a member, reading in the client's language; the mark of the forms."""
    if store_of(team).account(member) is None:
        store_of(team).save(Account(member))
    mark = signed_in(team, client, member)
    client.cookies.set("tasuki_language", client.headers["accept-language"])
    return mark


def held(workspace: Workspace, member: str) -> str:
    return next(one.idea for one in workspace.ledger.ideas() if one.status == "active" and one.holder == member)


def fields_of(page: str, action: str) -> dict[str, str]:
    """What the form that leads to an address would send."""
    form = next(one for one in re.findall(r"<form.*?</form>", page, re.S) if f'action="{html.escape(action)}"' in one)
    typed = dict(re.findall(r'<input[^>]* name="([^"]+)"(?:[^>]*?) value="([^"]*)"', form))
    typed |= {
        name: text.removeprefix("\n")
        for name, text in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S)
    }
    return {name: html.unescape(value) for name, value in typed.items()}


def test_a_text_that_is_too_long_is_refused_and_never_cut(client: TestClient, team: Workspace, language: str) -> None:
    mark, idea = entered(team, client, "aoi"), held(team, "aoi")
    before = team.ledger.state(idea)
    answer = client.post(f"/ideas/{idea}/comment", data={"_mark": mark, "text": LONG})
    assert answer.status_code == 400
    assert ("20,000 字まで" if language == "ja" else "at most 20,000 letters") in answer.text
    assert "25,000" in answer.text
    assert LONG in answer.text
    assert team.ledger.state(idea) == before
    new = client.post("/new-idea", data={"_mark": mark, "title": LONG})
    assert new.status_code == 400
    assert LONG in new.text


def test_the_longest_text_is_taken_whole(client: TestClient, team: Workspace) -> None:
    mark, idea = entered(team, client, "aoi"), held(team, "aoi")
    assert client.post(f"/ideas/{idea}/comment", data={"_mark": mark, "text": LONG[:20_000]}).status_code == 303
    assert team.ledger.state(idea).comments[-1].text == LONG[:20_000]


def test_what_was_written_outlives_the_session(
    client: TestClient, team: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    idea = held(team, "aoi")
    path = f"/ideas/{idea}/comment"
    answer = client.post(path, data={"_mark": "of a session that has ended", "text": WROTE})
    assert answer.status_code == 403
    sent = fields_of(answer.text, "/sign-in")
    assert sent["kept.text"].replace("\r", "") == WROTE
    secret = new_session(team, "aoi")
    monkeypatch.setattr("tasuki.web.coming_in.sign_in", lambda *_: secret)
    page = client.post("/sign-in", data={**sent, "name": "aoi", "password": "x"})
    assert page.status_code == 200
    assert team.ledger.state(idea).comments == () or team.ledger.state(idea).comments[-1].text != WROTE
    again = fields_of(page.text, path)
    assert client.post(path, data=again).status_code == 303
    assert team.ledger.state(idea).comments[-1].text == WROTE


def new_session(team: Workspace, member: str) -> str:
    helper = visiting(team)
    signed_in(team, helper, member)
    assert store_of(team).account(member)
    return str(helper.cookies["tasuki_session"])


@pytest.mark.parametrize(
    "foreign", [{"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_what_another_site_filled_in_is_not_kept(client: TestClient, foreign: dict[str, str]) -> None:
    answer = client.post("/ideas/idea-2/comment", data={"text": WROTE}, headers=foreign)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2F"


@pytest.mark.parametrize("onward", ["//elsewhere.example/x", "https://elsewhere.example", "/\\elsewhere.example"])
def test_what_was_kept_leads_nowhere_else(client: TestClient, onward: str) -> None:
    page = client.get("/sign-in").text
    mark = re.search(r'name="_mark" value="([0-9a-f]{64})"', page)[1]  # type: ignore[index]
    fields = {"_mark": mark, "name": "aoi", "password": "wrong wrong", "kept_to": onward, "kept.text": WROTE}
    answer = client.post("/sign-in", data=fields)
    assert answer.status_code == 403
    assert "elsewhere.example" not in answer.text


def test_a_password_is_never_kept(client: TestClient) -> None:
    answer = client.post("/account/password", data={"password": "a long secret sentence", "old_password": "又 一つ"})
    assert "a long secret sentence" not in answer.text
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("kill", "reason"),
        ("rule", "text"),
        ("skip", "reason"),
        ("reopen", "reason"),
        ("debts/99", "note"),
        ("contributions", "text"),
        ("hand-off/return", "reason"),
        ("hand-off/offer", "note"),
        ("hand-off/accept", "answer"),
        ("attach/external_link", "title"),
    ],
)
def test_whatever_refuses_keeps_what_was_written(client: TestClient, team: Workspace, path: str, field: str) -> None:
    mark = entered(team, client, "aoi")
    ended = next(one.idea for one in team.ledger.ideas() if one.status == "concluded")
    answer = client.post(f"/ideas/{ended}/{path}", data={"_mark": mark, field: "夜の入札について", "stage": "none"})
    assert answer.status_code in (400, 403, 404, 409)
    assert "夜の入札について" in answer.text


def test_a_return_after_somebody_was_faster_keeps_its_reason(client: TestClient, team: Workspace) -> None:
    mark = entered(team, client, "aoi")
    offered = next(one for one in team.ledger.ideas() if one.offer is not None and one.status == "active")
    answer = client.post(
        f"/ideas/{offered.idea}/hand-off/return", data={"_mark": mark, "code": "other", "reason": WROTE}
    )
    assert answer.status_code in (400, 403, 409)
    assert html.escape(WROTE.splitlines()[0]) in answer.text


def test_a_late_return_outlives_the_session_with_the_stage_it_goes_back_to(
    client: TestClient, team: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fields = "/ideas/idea-4/hand-off/return", {"to_stage": "investigation", "code": "other", "reason": WROTE}
    refused = client.post(path, data={"_mark": "of a session that has ended", **fields})
    assert refused.status_code == 403
    sent = fields_of(refused.text, "/sign-in")
    secret = new_session(team, "ren")
    monkeypatch.setattr("tasuki.web.coming_in.sign_in", lambda *_: secret)
    page = client.post("/sign-in", data={**sent, "name": "ren", "password": "x"})
    again = fields_of(page.text, path)
    assert {name: again[name].replace("\r", "") for name in fields} == fields
    assert client.post(path, data=again).status_code == 303
    state = team.ledger.state("idea-4")
    assert (state.stage, state.handoffs[-1].outcome, state.handoffs[-1].late) == ("investigation", "returned", True)
    assert state.handoffs[-1].reason == WROTE


def test_a_blank_rule_is_told_as_a_fault_of_the_input(client: TestClient, team: Workspace, language: str) -> None:
    mark = entered(team, client, "aoi")
    answer = client.post(f"/ideas/{held(team, 'aoi')}/rule", data={"_mark": mark, "text": "　"})
    assert answer.status_code == 400
    assert ("入力内容を確認してください" if language == "ja" else "needs mending") in answer.text


def test_a_used_link_says_whom_to_ask(client: TestClient, language: str) -> None:
    answer = client.get("/welcome/used")
    assert answer.status_code == 404
    assert ("管理者" if language == "ja" else "ask an administrator for a new one") in answer.text
    assert ("ボードか事例から" if language == "ja" else "look for the idea") not in answer.text


def test_a_shared_address_keeps_its_query_over_the_sign_in(client: TestClient) -> None:
    answer = client.get("/ideas/idea-2?evidence=abc")
    assert answer.headers["location"] == "/sign-in?next=%2Fideas%2Fidea-2%3Fevidence%3Dabc"


def test_a_method_that_is_not_taken_is_told_with_those_that_are(client: TestClient, team: Workspace) -> None:
    entered(team, client, "aoi")
    answer = client.get("/ideas/idea-2/comment")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
    assert "GET" not in answer.headers["allow"]


def test_who_may_not_attach_reads_so_before_writing(client: TestClient, team: Workspace, language: str) -> None:
    entered(team, client, "ren")
    barred = [
        page
        for one in team.ledger.ideas()
        if one.status == "active"
        for page in [client.get(f"/ideas/{one.idea}/attach/learning").text]
        if 'role="alert"' in page
    ]
    assert barred, "ren may do everything: the test proves nothing"
    send = "資料を添付" if language == "ja" else "Attach"
    assert all(not re.search(rf'<button type="submit">[^<]*{send}', page) for page in barred)


@pytest.mark.parametrize(
    ("text", "number"),
    [("２．５", 2.5), ("3%", 0.03), ("３ ％", 0.03), ("1,200", 1200), ("１，２００", 1200), ("-0.5", -0.5)],
)
def test_numbers_are_read_as_people_type_them(text: str, number: float) -> None:
    faults: list[object] = []
    assert Form({"days": [text]}).number("days", faults) == number  # type: ignore[arg-type]
    assert faults == []


@pytest.mark.parametrize("text", ["%", "3%%", "three", "nan", "1e999", "3e1%"])
def test_what_is_no_number_is_a_fault(text: str) -> None:
    faults: list[object] = []
    assert Form({"days": [text]}).number("days", faults) is None  # type: ignore[arg-type]
    assert len(faults) == 1


def test_a_fault_in_the_second_debt_stands_open_and_is_named(
    client: TestClient, team: Workspace, language: str
) -> None:
    mine = next((one for one in team.ledger.ideas() if one.offer and one.offer.picked_up_by), None)
    if mine is None:
        pytest.skip("no told idea is picked up")
    mark = entered(team, client, str(mine.offer.picked_up_by))  # type: ignore[union-attr]
    fields = {"_mark": mark, "answer": "はい", "estimate": "3", "debt.1.what": "夜間の確認"}
    answer = client.post(f"/ideas/{mine.idea}/hand-off/accept", data=fields)
    assert answer.status_code == 400
    assert re.search(r'<details class="change" open>(?:(?!</details>).)*夜間の確認', answer.text, re.S)
    assert ("負債（2 件目）の内容" if language == "ja" else "Debts, No. 2: What is owed") in answer.text
