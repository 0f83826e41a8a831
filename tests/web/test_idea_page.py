"""The idea's page: the whole story, what is needed next, in both languages and with hostile text."""

import pytest
from litestar.testing import TestClient
from told_ideas import foreign_scripts


@pytest.fixture
def story(browse: TestClient) -> str:
    return browse.get("/ideas/idea-1?lang=ja").text


def test_the_story_shows_every_stage_and_who_ran_it(story: str) -> None:
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
        assert f">{stage}</h3>" in story
    for person in ("葵", "陽", "蓮", "澪", "蒼太", "結衣"):
        assert person in story


@pytest.mark.parametrize(
    "shown",
    [
        "通知の直後 30 分間",
        "リークの確認",
        "重複なし",
        "万円/月",
        "minutes_since_last",
        "対数損失の差の 95% 区間",
        "入出力仕様と検証用サンプル",
        "モデルの公開",
        "0.004（先月の転換率）",
        "ロールバックの予行",
        "fetch_rate",
        "検出したい最小の効果",
        "install_rate",
        "偽の勝ちのリスク",
        "直近の行動は強い手がかりになる",
        "探索ノートブック",
    ],
)
def test_every_kind_of_evidence_is_readable(story: str, shown: str) -> None:
    assert shown in story


def test_a_return_shows_its_reason_and_blames_nobody(story: str) -> None:
    assert "差し戻し: モデリング → 調査" in story
    assert "ラベルの遅れの分布が必要です。" in story
    assert "差し戻しはリレーの普通の一部です" in story


def test_the_receivers_question_stands_with_the_answer(story: str) -> None:
    assert "あなたがいなくても、この表を作り直せますか" in story
    assert "クエリの再実行で同じ表になりました" in story


def test_the_failed_check_is_there_but_marked_as_replaced(story: str) -> None:
    assert "設計どおりに動いていない" in story
    assert story.count("新しい資料あり") == 3, "the first brief, the first data report, the failed check"


def test_effects_are_drawn_with_a_description_for_those_who_cannot_see(story: str) -> None:
    assert (
        'class="interval interval-above" role="img" aria-label="install_rate: +3.1%、95% 区間 +1.2% から +5.0%"'
        in story
    )


def test_estimates_stand_beside_what_happened(browse: TestClient) -> None:
    page = browse.get("/ideas/idea-1?lang=en").text
    assert "Estimated and actual" in page
    assert "confirmed by 澪" in page
    assert "due 10 Nov 2026 (overdue)" in page


def test_an_open_idea_says_what_is_missing_and_the_command_for_it(browse: TestClient) -> None:
    page = browse.get("/ideas/idea-7?lang=en").text
    assert "Still missing: 3" in page
    assert "tasuki evidence attach idea-7 hypothesis.json" in page
    assert "tasuki handoff offer idea-7 --as aoi" in page
    assert "Could this be false" in page


def test_a_killed_idea_tells_why_it_was_stopped(browse: TestClient) -> None:
    page = browse.get("/ideas/idea-3?lang=ja").text
    assert "見込める改善が測定誤差より小さい" in page
    assert "根拠のある中止も成果です" in page
    assert "既存の調査を再利用する" in page
    assert 'id="needs"' not in page


def test_an_offered_idea_says_for_whom_it_waits(browse: TestClient) -> None:
    page = browse.get("/ideas/idea-5?lang=ja").text
    assert "「オフライン検証」へ引き継ぎを依頼中" in page
    assert "急ぎません" in page


@pytest.mark.parametrize("idea", ["idea-99", "team", "..%2f..%2fetc%2fpasswd", "%00", "🙂", "'; DROP TABLE events;--"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_unknown_idea_is_not_found_in_the_readers_language(browse: TestClient, idea: str, language: str) -> None:
    answer = browse.get(f"/ideas/{idea}?lang={language}")
    assert answer.status_code == 404
    assert {"ja": "ページが見つかりません", "en": "This page does not exist"}[language] in answer.text


def test_an_idea_can_only_be_read(browse: TestClient) -> None:
    assert browse.post("/ideas/idea-1").status_code == 405


def test_hostile_titles_and_comments_stay_text(browse: TestClient) -> None:
    page = browse.get("/ideas/idea-6").text
    assert foreign_scripts(page) == []
    assert "<img src=x" not in page
    assert page.count("&lt;script&gt;") >= 3


def test_evidence_downloads_as_it_lies_in_the_ledger(browse: TestClient, told) -> None:
    entry = told.ledger.state("idea-1").latest("comparison_report")
    answer = browse.get(f"/ideas/idea-1/evidence/{entry.content_hash}.json")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith('attachment; filename="comparison_report-')
    assert answer.json() == entry.body


def test_every_evidence_link_on_the_page_leads_somewhere(browse: TestClient, story: str) -> None:
    import re

    links = set(re.findall(r'href="(/ideas/idea-1/evidence/[^"]+)"', story))
    assert len(links) == 17
    assert {browse.get(link).status_code for link in links} == {200}


@pytest.mark.parametrize("file", ["0" * 64 + ".json", "x.json", "..json", "%2e%2e%2fledger.db"])
def test_evidence_that_is_not_there_is_not_found(browse: TestClient, file: str) -> None:
    assert browse.get(f"/ideas/idea-1/evidence/{file}").status_code == 404


def test_evidence_of_another_idea_is_not_found(browse: TestClient, told) -> None:
    other = told.ledger.state("idea-1").latest("comparison_report").content_hash
    assert browse.get(f"/ideas/idea-2/evidence/{other}.json").status_code == 404
