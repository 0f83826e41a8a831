"""The board's page: what it shows, in both languages, filtered, empty, and with hostile text."""

from dataclasses import replace
from pathlib import Path

import pytest
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import HOSTILE, NOW, foreign_scripts, tell_team

from tasuki.actions.workspace import Workspace
from tasuki.flow.plan import ROLES
from tasuki.store.ledger import Ledger
from tasuki.store.shelf import Shelf
from tasuki.web.app import create_app
from tasuki.web.board import BoardChoice, build_board


def test_board_shows_every_stage_of_the_flow_with_its_ideas(browse: TestClient) -> None:
    page = browse.get("/", headers={"accept-language": "ja"}).text
    for stage in (
        "仮説立て",
        "調査",
        "モデリング",
        "オフライン検証",
        "プロダクト実装",
        "A/Bテスト1",
        "A/Bテスト2",
        "評価",
    ):
        assert stage in page
    assert "枠の位置ごとに CTR 予測を補正する" in page
    assert "インストール遅延を考慮した CVR 学習" not in page, "an idea of another flow"


def test_board_says_for_whom_an_idea_waits_and_how_long(browse: TestClient) -> None:
    assert "データアナリストの受け取り待ち（8.3日）" in browse.get("/?lang=ja").text
    assert "Waiting for: Data analyst, 8.3 days" in browse.get("/?lang=en").text
    assert "澪 is reviewing the hand-off, 7.8 days" in browse.get("/?flow=minor_update&lang=en").text


def test_board_shows_debts_and_those_that_are_overdue(browse: TestClient) -> None:
    assert "負債 1 件 · 期限超過 1 件" in browse.get("/?lang=ja").text


def test_board_lists_what_ended_with_its_decision_and_effect(browse: TestClient) -> None:
    page = browse.get("/?lang=en").text
    assert "Shipped" in page
    assert "+3.1%" in page
    assert "Stopped" in page


def test_board_of_one_person_shows_only_what_concerns_them(browse: TestClient) -> None:
    page = browse.get("/?person=ren&lang=ja").text
    assert "アプリ × 枠の交差特徴量" in page
    assert "枠の位置ごとに" not in page
    assert "条件を解除" in page


def test_board_of_a_person_without_ideas_says_what_to_do(browse: TestClient) -> None:
    page = browse.get("/?person=kaito&lang=en").text
    assert "No idea under way in this flow fits" in page
    assert "tasuki idea open" in page


def test_an_empty_workspace_says_how_to_begin(empty: Workspace) -> None:
    with TestClient(create_app(empty), base_url="http://127.0.0.1") as client:
        page = client.get("/?lang=ja").text
    assert "tasuki account add" in page
    assert 'href="/accounts"' in page


def test_a_team_without_ideas_is_asked_to_open_the_first(ledger: Ledger, tmp_path: Path) -> None:
    tell_team(ledger)
    with TestClient(create_app(workspace_of(ledger, tmp_path)), base_url="http://127.0.0.1") as client:
        page = client.get("/?lang=ja").text
    assert "起票しましょう" in page
    assert "tasuki idea open" in page


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_flow_nobody_has_is_not_found(browse: TestClient, language: str) -> None:
    answer = browse.get(f"/?flow=nowhere&lang={language}")
    assert answer.status_code == 404
    assert f'lang="{language}"' in answer.text


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_the_board_can_only_be_read(browse: TestClient, method: str) -> None:
    answer = getattr(browse, method)("/")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, OPTIONS"
    assert "<h1>" in answer.text


def test_a_hostile_title_stays_text(browse: TestClient) -> None:
    page = browse.get("/").text
    assert HOSTILE not in page
    assert foreign_scripts(page) == []
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page


def test_a_hostile_parameter_stays_text(browse: TestClient) -> None:
    for query in ({"person": HOSTILE}, {"flow": HOSTILE}, {"lang": HOSTILE}, {HOSTILE: "1"}):
        page = browse.get("/", params=query).text
        assert foreign_scripts(page) == []
        assert "<img src=x" not in page


def test_the_language_that_was_asked_for_is_kept(browse: TestClient) -> None:
    assert browse.get("/?lang=en").cookies["tasuki_language"] == "en"
    assert '<html lang="en">' in browse.get("/", headers={"accept-language": "ja"}).text


def test_the_other_language_is_one_click_away_with_the_filter_kept(browse: TestClient) -> None:
    page = browse.get("/?flow=model&person=ren&lang=ja").text
    assert 'href="/?flow=model&amp;person=ren&amp;lang=en"' in page


def test_two_slashes_do_not_lead_to_another_host(browse: TestClient) -> None:
    page = browse.get("http://127.0.0.1//evil.example/x").text
    assert 'href="//' not in page


def test_pages_load_nothing_from_elsewhere_and_carry_no_inline_style_or_script(browse: TestClient) -> None:
    for address in ("/", "/ideas/idea-1", "/cases", "/my-work"):
        answer = browse.get(address)
        assert 'style="' not in answer.text
        assert "<style" not in answer.text
        assert foreign_scripts(answer.text) == []
        assert "//" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_templates_stay_short() -> None:
    import tasuki.web

    templates = (Path(tasuki.web.__file__).parent / "templates").rglob("*.html")
    assert max(len(path.read_text().splitlines()) for path in templates) <= 120


def test_board_of_one_role_shows_whose_turn_it_is(told: Workspace) -> None:
    shelf = told.ledger.shelf()
    whole = _cards_of(shelf, told, BoardChoice("model"))
    by_role = {role: _cards_of(shelf, told, BoardChoice("model", role=role)) for role in ROLES}
    assert set().union(*by_role.values()) == whole
    assert by_role["ml_engineer"] < whole


def _cards_of(shelf: Shelf, told: Workspace, choice: BoardChoice) -> set[str]:
    board = build_board(shelf, told.playbook, told.formation, choice, NOW)
    return {card.idea for column in board.columns for card in column.cards}


def test_board_says_when_more_is_under_way_than_the_team_wants(told: Workspace) -> None:
    stages = {name: replace(stage, limit=1) for name, stage in told.playbook.stages.items()}
    playbook = replace(told.playbook, stages=stages)
    board = build_board(told.ledger.shelf(), playbook, told.formation, BoardChoice("model"), NOW)
    assert {column.over_limit for column in board.columns if len(column.cards) > 1} <= {True}
    assert not any(column.over_limit for column in board.columns if len(column.cards) <= 1)


def test_a_role_that_is_none_is_not_found(browse: TestClient) -> None:
    assert browse.get("/?role=astronaut").status_code == 404
