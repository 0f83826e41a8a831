"""The audit page: all of the ledger, a part at a time, by whom and what; and what it says to those it is not for."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from guarded_team import guarded, signed_in, visiting
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, Telling, tell_team

from tasuki.accounts.rights import VERBS
from tasuki.actions.workspace import Workspace
from tasuki.flow.event import Sought
from tasuki.store.ledger import open_ledger
from tasuki.web import audit_page
from tasuki.web.app import create_app
from tasuki.web.audit_page import SHOWN, part_of_ledger

COMMENTS = 230


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A team that has said more than fits into one part; ren's only word is the oldest of them."""
    folder = tmp_path_factory.mktemp("audit")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    tell_team(ledger)
    t = Telling(ledger, "idea-1", NOW - timedelta(days=9)).opened("Bid less at night", "aoi")
    t.then("comment_added", "ren", text="the first word")
    for number in range(COMMENTS):
        t.then("comment_added", "aoi", text=f"word {number}")
    workspace = workspace_of(ledger, folder)
    yield workspace
    workspace.close()


@pytest.fixture
def read(talkative: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(talkative), base_url="http://127.0.0.1") as client:
        yield client


def next_of(page: str) -> str | None:
    found = re.search(r'rel="next" href="([^"]+)"', page)
    return unescape(found[1]) if found else None


def hashes_of(page: str) -> list[str]:
    return re.findall(r"<code>([0-9a-f]{12})</code>", page)


def test_every_event_of_the_ledger_is_on_one_of_the_pages_the_newest_first(
    talkative: Workspace, read: TestClient
) -> None:
    seen: list[str] = []
    address: str | None = "/audit?lang=en"
    while address:
        page = read.get(address).text
        assert 0 < len(hashes_of(page)) <= SHOWN
        seen += hashes_of(page)
        address = next_of(page)
    whole = [event.hash[:12] for _, event in talkative.ledger.feed(0, 10_000)]
    assert seen == whole[::-1]
    assert len(seen) > 2 * SHOWN


def test_a_later_page_leads_back_to_the_newest_and_keeps_what_was_chosen(read: TestClient) -> None:
    page = read.get(next_of(read.get("/audit?lang=ja&actor=aoi&kind=comment_added").text) or "").text
    assert 'href="/audit?stream=all&amp;actor=aoi&amp;kind=comment_added">最新の記録へ</a>' in page
    assert '<option value="aoi" selected>' in page
    assert "actor=aoi&kind=comment_added" in (next_of(page) or "")


def test_events_are_chosen_by_person_kind_and_stream_together(read: TestClient) -> None:
    assert len(hashes_of(read.get("/audit?actor=ren&kind=comment_added").text)) == 1
    assert len(hashes_of(read.get("/audit?kind=idea_opened").text)) == 1
    assert len(hashes_of(read.get("/audit?stream=team&kind=member_added").text)) == 7
    nothing = read.get("/audit?lang=ja&actor=ren&kind=idea_opened")
    assert nothing.status_code == 200
    assert "該当する記録はありません" in nothing.text


def test_what_an_address_asks_for_wrongly_is_answered_with_what_there_is(read: TestClient) -> None:
    for query in (
        "before=0",
        "before=-1",
        "before=x",
        "before=999999999999",
        "stream=../x",
        "kind=<script>",
        "actor=%00",
    ):
        answer = read.get(f"/audit?{query}")
        assert answer.status_code == 200, query
        assert "<script>" not in answer.text.replace('<script src="/assets', "")


def test_what_is_rare_is_looked_for_further_back_page_by_page(
    talkative: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_page, "LOOKED_THROUGH", 50)
    before, parts = None, []
    while True:
        part = part_of_ledger(talkative, Sought(actor="ren", kind="comment_added"), before)
        parts.append(len(part.events))
        if part.older is None:
            break
        before = part.older
    assert sum(parts) == 1
    assert len(parts) > COMMENTS // 50


REFUSED = {
    "account.add": ("POST", "/accounts", "adding members", "メンバーの追加"),
    "account.invite": ("POST", "/accounts/ren/invite", "inviting members", "メンバーの招待"),
    "account.role": ("POST", "/accounts/ren/roles", "changing roles", "役割の変更"),
    "account.disable": ("POST", "/accounts/ren/access", "disabling accounts", "アカウントの停止"),
    "audit.show": ("GET", "/audit", "the audit log", "監査ログの表示"),
    "webhook.list": ("GET", "/api/v1/webhooks", "the list of webhooks", ""),
    "webhook.deliver": ("POST", "/api/v1/webhooks/any/deliver", "sending webhooks again", ""),
}


@pytest.mark.parametrize("verb", sorted(one.name for one in VERBS.values() if one.who == "administrator"))
def test_whoever_is_no_administrator_is_told_in_their_words_what_it_is_that_they_may_not(
    tmp_path: Path, verb: str
) -> None:
    method, path, english, japanese = REFUSED[verb]
    with guarded(tmp_path) as workspace, visiting(workspace) as client:
        headers = {"x-tasuki-mark": signed_in(workspace, client, "ren")}
        for language, title in (("en", english), ("ja", japanese)):
            client.cookies.set("tasuki_language", language)
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 403
            assert title in answer.text
