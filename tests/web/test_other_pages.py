"""Cases, my work, assets, health, and what a reader is told when something goes wrong."""

from dataclasses import replace

import pytest
from litestar.testing import TestClient
from told_ideas import HOSTILE, foreign_scripts

from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid, Refused, Stale, Unavailable
from tasuki.web.app import create_app
from tasuki.web.guard import is_own_host
from tasuki.web.problems import problem_of


def test_cases_lists_what_ended_newest_first(browse: TestClient) -> None:
    page = browse.get("/cases?lang=en").text
    assert page.index("再訪ユーザーへの入札を強める") < page.index("深夜帯の入札を下げる")
    assert "直近の行動は強い手がかりになる" in page


def test_a_two_character_japanese_word_finds_its_case(browse: TestClient) -> None:
    page = browse.get("/cases", params={"q": "深夜", "lang": "ja"}).text
    assert "深夜帯の入札を下げる" in page
    assert "再訪ユーザーへの入札" not in page
    assert "1 件見つかりました" in page


def test_a_search_without_a_hit_says_what_to_try(browse: TestClient) -> None:
    page = browse.get("/cases", params={"q": HOSTILE, "lang": "en"}).text
    assert "Try fewer or other words" in page
    assert foreign_scripts(page) == []


def test_an_empty_library_explains_itself(empty: Workspace) -> None:
    with TestClient(create_app(empty), base_url="http://127.0.0.1") as client:
        assert "No cases yet" in client.get("/cases?lang=en").text


def test_my_work_shows_what_waits_for_a_person(browse: TestClient) -> None:
    page = browse.get("/my-work?member=mio&lang=ja").text
    assert "澪さんの仕事" in page
    assert "tasuki handoff accept idea-5 --as mio" in page


def test_my_work_shows_what_a_role_may_pick_up(browse: TestClient) -> None:
    assert "tasuki handoff pick-up idea-2 --as aoi" in browse.get("/my-work?member=aoi").text
    assert "idea-2" not in browse.get("/my-work?member=sota").text


def test_only_ones_own_work_has_buttons(browse: TestClient) -> None:
    assert 'href="/ideas/idea-2/hand-off"' in browse.get("/my-work?member=aoi").text
    page = browse.get("/my-work?member=mio").text
    assert "idea-5" in page
    assert 'href="/ideas/idea-5/hand-off"' not in page


def test_only_who_may_pick_it_up_is_asked_to(browse: TestClient) -> None:
    def asked(member: str, idea: str) -> bool:
        browse.cookies.set("tasuki_acting", member)
        page = browse.get(f"/ideas/{idea}?lang=en").text
        assert "See the hand-off" in page or "Pick it up" in page or "Accept or return" in page
        return f'class="button" href="/ideas/{idea}/hand-off"' in page

    assert asked("aoi", "idea-2")
    assert not asked("haru", "idea-2"), "who offered it"
    assert not asked("sota", "idea-2"), "whose turn it is not"
    assert asked("mio", "idea-5"), "who has picked it up"
    assert not asked("ren", "idea-5"), "who has offered it"


def test_my_work_shows_debts_to_settle(browse: TestClient) -> None:
    assert "欠損の原因を調べる" in browse.get("/my-work?member=haru").text


def test_my_work_is_the_configured_members_when_nobody_is_named(browse: TestClient) -> None:
    assert "Work of 葵" in browse.get("/my-work?lang=en").text


def test_my_work_of_a_stranger_is_not_found(browse: TestClient) -> None:
    assert browse.get("/my-work?member=nobody").status_code == 404


def test_my_work_without_a_team_says_how_to_add_members(empty: Workspace) -> None:
    with TestClient(create_app(empty), base_url="http://127.0.0.1") as client:
        page = client.get("/my-work?lang=en")
    assert page.status_code == 200
    assert "tasuki account add" in page.text


@pytest.mark.parametrize("address", ["/cases", "/my-work", "/health", "/assets/tasuki.css"])
def test_these_pages_can_only_be_read(browse: TestClient, address: str) -> None:
    assert browse.post(address).status_code == 405


def test_health_answers_in_json(browse: TestClient) -> None:
    assert browse.get("/health").json() == {"status": "ok"}


def test_assets_may_be_kept_for_ever_and_nothing_else_is_served(browse: TestClient) -> None:
    assert "immutable" in browse.get("/assets/tasuki.css").headers["cache-control"]
    for name in ("texts.toml", "..%2ftexts.toml", "..%2f..%2fsite.py", "%2e%2e"):
        assert browse.get(f"/assets/{name}").status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1", ""]
)
def test_a_foreign_host_reads_nothing(browse: TestClient, host: str) -> None:
    for address in ("/", "/ideas/idea-1", "/health"):
        answer = browse.get(address, headers={"host": host})
        assert answer.status_code == 400
        assert "入札" not in answer.text


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost:8765", "[::1]:8765", "LOCALHOST", "127.0.0.9"]
)
def test_this_machine_is_answered(host: str) -> None:
    assert is_own_host(host)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Invalid("x"), 400),
        (Refused("x", rule="r"), 409),
        (Stale("x"), 409),
        (Unavailable("x"), 503),
        (ValueError("secret"), 500),
    ],
)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_each_kind_of_error_has_its_page(error: Exception, status: int, language) -> None:
    problem = problem_of(error, "/x", "GET", language)
    assert problem.status == status
    assert all((problem.title, problem.what, problem.expected, problem.next_step))
    assert "secret" not in problem.what


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("password=hunter2"), 500), (Unavailable("locked"), 503)])
def test_a_failing_ledger_gives_a_page_that_tells_no_secrets(told: Workspace, error: Exception, status: int) -> None:
    class Failing:
        def __getattr__(self, name: str):
            raise error

    broken = replace(told, ledger=Failing())  # type: ignore[arg-type]
    with TestClient(create_app(broken), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        for address in ("/", "/ideas/idea-1", "/cases", "/my-work", "/health"):
            answer = client.get(address, headers={"accept-language": "ja"})
            assert answer.status_code == status
            assert "次にすること" in answer.text
            assert "hunter2" not in answer.text
            assert answer.headers["content-security-policy"]
