"""Working on ideas from the pages: opening, writing evidence, handing over, ending; as every kind of visitor."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import HOSTILE, NOW, tell_board

from tasuki.actions.workspace import Workspace
from tasuki.flow.records import EVIDENCE_TYPES
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app
from tasuki.web.evidence_form import PEOPLE_WRITE, filled, inputs_of, record_of
from tasuki.web.forms import Form

BRIEF = {
    "change": "夜間の入札を 10% 上げる",
    "metric": "clicks",
    "direction": "increase",
    "expected_size": "0.03",
    "because": "夜は競争が少ない",
    "population": "全ユーザー",
    "prior_probability": "0.2",
    "similar_cases": "idea-1\nidea-8",
    "stop_when": "クリック率が下がる",
    "value_if_true": "月 100 万円",
}

METRICS = """
[metric.ctr]
title = { en = "Click rate", ja = "クリック率" }
kind = "mean"
table = "log"
unit = "user"
numerator = "clicked::integer"
time = "at"
"""


@pytest.fixture(scope="module")
def told_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("writing") / "ledger.db"
    ledger = open_ledger(f"sqlite:///{file}", lambda: NOW)
    tell_board(ledger)
    ledger.close()
    return file


@pytest.fixture
def team(told_ledger: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copy(told_ledger, tmp_path / "ledger.db")
    workspace = workspace_of(open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: NOW), tmp_path)
    yield workspace
    workspace.close()


@pytest.fixture
def client(team: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(team), base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        one.follow_redirects = False
        one.cookies.set("tasuki_language", "en")
        yield one


def send(client: TestClient, page: str, path: str, member: str = "aoi", **fields: object) -> object:
    client.cookies.set("tasuki_acting", member)
    mark = re.search(r'name="_mark" value="([0-9a-f]{64})"', client.get(page).text)[1]
    return client.post(path, data={"_mark": mark, **fields})


def opened(client: TestClient) -> str:
    answer = send(client, "/new-idea", "/new-idea", title="夜間の入札", flow="analysis", estimate="2")
    assert answer.status_code == 303
    return answer.headers["location"].removeprefix("/ideas/")


@pytest.mark.parametrize(("language", "title"), [("ja", "施策を起票"), ("en", "Open an idea")])
def test_an_empty_team_is_told_to_add_members_before_it_opens_an_idea(
    empty: Workspace, language: str, title: str
) -> None:
    with TestClient(create_app(empty), base_url="http://127.0.0.1") as client:
        answer = client.get(f"/new-idea?lang={language}")
        assert answer.status_code == 200
        assert f"<h1>{title}</h1>" in answer.text
        assert 'href="/accounts"' in answer.text
        assert "tasuki account add NAME --role analyst" in answer.text
        assert 'action="/new-idea"' not in answer.text
        mark = answer.text.partition('name="_mark" value="')[2][:64]
        refused = client.post("/new-idea", data={"_mark": mark, "title": "早すぎる"})
        assert refused.status_code < 500
        assert empty.ledger.ideas() == ()


def test_an_idea_runs_from_hypothesis_to_case_without_a_terminal(client: TestClient, team: Workspace) -> None:
    idea = opened(client)
    page = f"/ideas/{idea}"
    assert send(client, page, f"{page}/look-up", query="入札").status_code == 303
    assert send(client, page, f"{page}/attach/hypothesis_brief", **BRIEF).status_code == 303
    assert send(client, page, f"{page}/hand-off/offer", note="見てください").status_code == 303
    assert send(client, page, f"{page}/hand-off/pick-up", "haru").headers["location"] == f"{page}/hand-off"
    accepted = send(client, page, f"{page}/hand-off/accept", "haru", answer="夜のログで分かる", estimate="3")
    assert accepted.status_code == 303
    assert team.ledger.state(idea).stage == "investigation"
    assert team.ledger.state(idea).holder == "haru"


def test_a_brief_with_faults_keeps_what_was_typed_and_names_them_all(client: TestClient, team: Workspace) -> None:
    idea = opened(client)
    page = f"/ideas/{idea}/attach/hypothesis_brief"
    wrong = {**BRIEF, "expected_size": "three", "prior_probability": "2", "because": ""}
    answer = send(client, page, page, **wrong)
    assert answer.status_code == 400
    assert "夜間の入札を 10% 上げる" in answer.text
    assert "three" in answer.text
    assert "no number" in answer.text
    assert team.ledger.state(idea).evidence == ()
    answer = send(client, page, page, **{**BRIEF, "prior_probability": "2", "because": ""})
    assert "because" in answer.text
    assert "less than or equal to 1" in answer.text


def test_looking_first_shows_lint_and_similar_cases_and_attaches_nothing(client: TestClient, team: Workspace) -> None:
    idea = opened(client)
    page = f"/ideas/{idea}/attach/hypothesis_brief"
    answer = send(client, page, page, look="yes", **{**BRIEF, "direction": "decrease"})
    assert answer.status_code == 200
    assert "disagree" in answer.text
    assert team.ledger.state(idea).evidence == ()
    beside = send(client, page, f"/ideas/{idea}/look", change="再訪ユーザーへの入札を強める")
    assert beside.status_code == 200
    assert "<html" not in beside.text


def test_a_refused_offer_says_on_the_same_screen_what_is_missing(client: TestClient, team: Workspace) -> None:
    idea = opened(client)
    answer = send(client, f"/ideas/{idea}/hand-off", f"/ideas/{idea}/hand-off/offer", note="まだ")
    assert answer.status_code == 409
    assert "hypothesis_brief" in answer.text
    assert "まだ" in answer.text
    assert team.ledger.state(idea).offer is None


def test_an_outsider_of_the_stage_may_not_offer(client: TestClient) -> None:
    idea = opened(client)
    answer = send(client, f"/ideas/{idea}/hand-off", f"/ideas/{idea}/hand-off/offer", "sota")
    assert answer.status_code == 403


def test_accepting_with_a_debt_and_settling_it(client: TestClient, team: Workspace) -> None:
    idea = opened(client)
    page = f"/ideas/{idea}"
    send(client, page, f"{page}/look-up", query="入札")
    send(client, page, f"{page}/attach/hypothesis_brief", **BRIEF)
    send(client, page, f"{page}/hand-off/offer")
    send(client, page, f"{page}/hand-off/pick-up", "haru")
    debt = {"debt.0.what": "件数を確かめる", "debt.0.owner": "aoi", "debt.0.due": "2026-12-01"}
    half = send(
        client, page, f"{page}/hand-off/accept", "haru", answer="はい", estimate="3", **{**debt, "debt.0.due": ""}
    )
    assert half.status_code == 400
    assert "件数を確かめる" in half.text
    assert send(client, page, f"{page}/hand-off/accept", "haru", answer="はい", estimate="3", **debt).status_code == 303
    assert send(client, page, f"{page}/debts/1", "aoi", note="確かめた").status_code == 303
    assert team.ledger.state(idea).open_debts() == ()


def test_returning_needs_a_reason(client: TestClient, team: Workspace) -> None:
    page = "/ideas/idea-5"  # mio has picked it up
    assert send(client, page, f"{page}/hand-off/return", "mio", code="other", reason=" ").status_code == 400
    done = send(client, page, f"{page}/hand-off/return", "mio", code="missing_evidence", reason="期間がない")
    assert done.status_code == 303
    assert team.ledger.state("idea-5").handoffs[-1].outcome == "returned"


def test_killing_files_a_case_and_reopening_takes_it_up_again(client: TestClient, team: Workspace) -> None:
    idea = opened(client)
    page = f"/ideas/{idea}"
    assert send(client, page, f"{page}/kill", reason="効果が見込めない").status_code == 303
    assert team.ledger.state(idea).status == "killed"
    assert send(client, page, f"{page}/reopen", reason="前提が変わった").status_code == 303
    assert team.ledger.state(idea).status == "active"


@pytest.mark.parametrize(
    "path", ["comment", "look-up", "rule", "kill", "skip", "reopen", "look", "contributions", "hand-off/offer"]
)
def test_an_idea_that_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert send(client, "/new-idea", f"/ideas/idea-999/{path}", text="x", reason="x", query="x").status_code == 404


@pytest.mark.parametrize("path", ["/new-idea", "/ideas/idea-4/attach/learning", "/ideas/idea-4/hand-off"])
def test_a_wrong_method_is_told(client: TestClient, path: str) -> None:
    assert client.delete(path).status_code == 405


def test_hostile_words_in_every_field_stay_text(client: TestClient) -> None:
    idea = opened(client)
    page = f"/ideas/{idea}/attach/hypothesis_brief"
    answer = send(client, page, page, look="yes", **dict.fromkeys(BRIEF, HOSTILE))
    assert "<script>alert" not in answer.text
    assert "<img src=x" not in answer.text
    send(client, f"/ideas/{idea}", f"/ideas/{idea}/comment", text=HOSTILE)
    assert "<script>alert" not in client.get(f"/ideas/{idea}").text


@pytest.mark.parametrize("kind", EVIDENCE_TYPES)
def test_every_kind_of_evidence_has_a_form_that_gives_back_what_was_attached(team: Workspace, kind: str) -> None:
    record = next(one.record for state in team.ledger.ideas() for one in state.evidence if one.kind == kind)
    faults: list[object] = []
    again = record_of(Form(filled(inputs_of(kind), record)), inputs_of(kind), faults)
    assert faults == []
    kept = {name: value for name, value in record.items() if value is not None and value != {}}
    assert {name: again.get(name) for name in kept} == {name: _plain(value) for name, value in kept.items()}


def _plain(value: object) -> object:
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("kind", PEOPLE_WRITE)
def test_every_form_can_be_opened(client: TestClient, kind: str) -> None:
    assert client.get(f"/ideas/idea-4/attach/{kind}").status_code == 200


def test_a_kind_that_is_none_has_no_form(client: TestClient) -> None:
    assert client.get("/ideas/idea-4/attach/nonsense").status_code == 404


def test_what_a_check_has_seen_is_told_in_japanese_where_its_cause_is_known(client: TestClient) -> None:
    idea = opened(client)
    page = f"/ideas/{idea}"
    send(client, page, f"{page}/attach/hypothesis_brief", **{**BRIEF, "direction": "decrease"})
    told = client.get(f"{page}?lang=ja").text
    assert "過去の事例を検索した人がまだいません" in told
    assert "disagree" not in told
    assert 'id="needs-look-up"' in told


def test_the_metric_of_a_hypothesis_is_held_against_the_declared_ones(client: TestClient, team: Workspace) -> None:
    (team.folder / "metrics.toml").write_text(METRICS, encoding="utf-8")
    idea = opened(client)
    page = f"/ideas/{idea}"
    form = client.get(f"{page}/attach/hypothesis_brief").text
    assert '<option value="ctr">Click rate</option>' in form.partition('<datalist id="offered-metric">')[2]

    def beside(metric: str) -> str:
        return send(client, page, f"{page}/look", **BRIEF | {"metric": metric}).text

    assert "is the metric ctr" in beside("クリック率")
    assert "did you mean ctr?" in beside("クリック率の改善")
    assert "Nothing is missing so far" not in beside("クリック率の改善")
    client.cookies.set("tasuki_language", "ja")
    assert "ctr のことですか？" in beside("クリック率の改善")


def test_a_new_idea_can_be_held_against_past_cases_before_it_is_opened(client: TestClient) -> None:
    ended = opened(client)
    assert send(client, f"/ideas/{ended}", f"/ideas/{ended}/kill", reason="夜は効果が小さい").status_code == 303
    answer = send(client, "/new-idea", "/new-idea", title="夜間の入札を上げる", look="yes")
    assert answer.status_code == 200
    assert f'href="/ideas/{ended}"' in answer.text
    assert 'value="夜間の入札を上げる"' in answer.text, "what was typed stays"


def test_what_is_handed_over_tells_which_evidence_was_replaced(client: TestClient) -> None:
    idea = opened(client)
    page = f"/ideas/{idea}"
    for because in ("夜は競争が少ない", "夜は在庫が多い"):
        sent = send(client, page, f"{page}/attach/hypothesis_brief", **BRIEF | {"because": because})
        assert sent.status_code == 303
    send(client, page, f"{page}/look-up", query="入札")
    assert send(client, page, f"{page}/hand-off/offer").status_code == 303
    assert send(client, page, f"{page}/hand-off/pick-up", "haru").status_code == 303
    carried = client.get(f"{page}/hand-off").text.partition('id="carried"')[2].partition("</section>")[0]
    assert carried.count("replaced by a newer one") == 1
