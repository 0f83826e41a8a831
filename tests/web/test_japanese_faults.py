"""Whatever goes wrong on a Japanese page is said in Japanese: every form with bad input, every refusal of the relay."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.actions.workspace import Workspace
from tasuki.flow.records import EVIDENCE_TYPES
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app

AREAS = re.compile(
    r"<(?:div|p|dd|ul)[^>]*class=\"(?:form-problem|field-fault|checklist)[^\"]*\".*?</(?:div|p|ul)>"
    r"|<dl class=\"facts\">.*?</dl>",
    re.DOTALL,
)
CODE = re.compile(r"<code.*?</code>|<label.*?</label>|<textarea.*?</textarea>|<[^>]+>", re.DOTALL)
ENGLISH = re.compile(r"(?<![\w./-])[a-z]{2,} (?:[a-z]{1,} ){0,3}[a-z]{2,}(?![\w./-])")


@pytest.fixture(scope="module")
def told_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("japanese") / "ledger.db"
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
        one.cookies.set("tasuki_language", "ja")
        yield one


def send(client: TestClient, path: str, member: str = "aoi", **fields: object) -> str:
    client.cookies.set("tasuki_acting", member)
    mark = re.search(r'name="_mark" value="([0-9a-f]{64})"', client.get("/new-idea").text)[1]
    answer = client.post(path, data={"_mark": mark, **fields})
    assert answer.status_code >= 400, "it was expected to be refused"
    return str(answer.text)


def told_in_english(page: str) -> list[str]:
    """Blocks marked as English, and what reads as English inside the areas where faults are told."""
    marked = re.findall(r'<(?!html|a )\w+[^>]* lang="en".*?>.{0,80}', page)
    areas = [re.sub(CODE, " ", area) for area in AREAS.findall(page)]
    return marked + [
        found.group() for area in areas for found in ENGLISH.finditer(re.sub(r"tasuki [^。<]*|「[^」]*」", "", area))
    ]


def an_idea(team: Workspace, **wanted: object) -> str:
    return next(
        one.idea for one in team.ledger.ideas() if all(getattr(one, name) == value for name, value in wanted.items())
    )


FORMS = [
    ("/new-idea", {"title": "", "flow": "none", "formation": "none"}),
    ("/new-idea", {"title": "x", "flow": "model", "estimate": "three"}),
    ("/new-idea", {"title": "x", "flow": "model", "estimate": "-3"}),
    ("/accounts", {"name": "two words", "role": ""}),
    ("/accounts", {"name": "aoi", "role": "analyst"}),
    ("/accounts", {"name": "new", "role": "king"}),
    ("/accounts/aoi/roles", {"role": "king"}),
    ("/accounts/nobody/roles", {"role": "analyst"}),
    ("/accounts/aoi/access", {"access": "disable"}),
    ("/account/tokens", {"label": "", "days": "soon"}),
    ("/account/tokens", {"label": "", "scope": "all", "days": "0"}),
    ("/account/tokens/none/revoke", {}),
    ("/welcome/none", {"password": "x"}),
    ("/account/password", {"old": "x", "new": "y"}),
]


@pytest.mark.parametrize(("path", "fields"), FORMS)
def test_a_form_says_its_faults_in_japanese(client: TestClient, path: str, fields: dict[str, str]) -> None:
    page = send(client, path, **fields)
    assert told_in_english(page) == []


@pytest.mark.parametrize("kind", sorted(EVIDENCE_TYPES))
@pytest.mark.parametrize("fields", [{}, {"json": "{"}, {"json": '{"change": 3, "days": "x", "z": 1}'}])
def test_evidence_that_cannot_be_read_is_told_in_japanese(
    client: TestClient, team: Workspace, kind: str, fields: dict[str, str]
) -> None:
    idea = an_idea(team, status="active")
    page = send(client, f"/ideas/{idea}/attach/{kind}" + ("?as=json" if fields else ""), **fields)
    assert "field-fault" in page or "form-problem" in page
    assert told_in_english(page) == []


def test_numbers_and_days_that_are_none_are_told_in_japanese(client: TestClient, team: Workspace) -> None:
    idea = an_idea(team, status="active")
    page = send(client, f"/ideas/{idea}/attach/hypothesis_brief", expected_size="three", prior_probability="2")
    assert "「three」は数値として読めません。" in page
    assert told_in_english(page) == []


RELAY = [
    ("look-up", {"query": ""}),
    ("comment", {"text": ""}),
    ("rule", {"text": ""}),
    ("kill", {"reason": ""}),
    ("skip", {"stage": "none", "reason": "x"}),
    ("skip", {"stage": "hypothesis", "reason": "x"}),
    ("reopen", {"reason": "x"}),
    ("debts/99", {"note": "x"}),
    ("contributions", {"stage": "none", "text": "x"}),
    ("contributions/confirm", {"stage": "hypothesis", "member": "aoi"}),
    ("hand-off/offer", {}),
    ("hand-off/offer", {"to": "nobody"}),
    ("hand-off/pick-up", {}),
    ("hand-off/accept", {"estimate": "long", "debt.0.what": "x", "debt.0.due": "soon"}),
    ("hand-off/accept", {"answer": "", "debt.0.what": "x", "debt.0.owner": "nobody", "debt.0.due": "2020-01-01"}),
    ("hand-off/return", {"code": "whim", "reason": "", "to_stage": "evaluation"}),
]


@pytest.mark.parametrize(("path", "fields"), RELAY)
def test_every_refusal_of_the_relay_is_told_in_japanese(
    client: TestClient, team: Workspace, path: str, fields: dict[str, str]
) -> None:
    found = []
    mark = re.search(r'name="_mark" value="([0-9a-f]{64})"', client.get("/new-idea").text)[1]
    for idea in ("idea-1", "idea-2", "idea-3", "idea-5", "idea-8"):
        for member in ("aoi", "ren"):
            client.cookies.set("tasuki_acting", member)
            answer = client.post(f"/ideas/{idea}/{path}", data={"_mark": mark, **fields})
            found += [(idea, member, text) for text in told_in_english(answer.text)]
    assert found == []


def test_what_the_next_hand_off_lacks_is_told_in_japanese(client: TestClient, team: Workspace) -> None:
    found = {one.idea: told_in_english(client.get(f"/ideas/{one.idea}").text) for one in team.ledger.ideas()}
    assert {idea: texts for idea, texts in found.items() if texts} == {}


@pytest.mark.parametrize("path", ["/ideas/none", "/experiments/none", "/?flow=none", "/?role=none", "/nowhere"])
def test_what_is_not_there_is_told_in_japanese(client: TestClient, path: str) -> None:
    assert told_in_english(client.get(path).text) == []


def test_the_test_finds_english_where_there_is_some() -> None:
    assert told_in_english('<p class="field-fault">there is no flow</p>')
    assert told_in_english('<p><span lang="en">x</span></p>')
    assert told_in_english('<p class="field-fault">「x」というフローはありません。tasuki idea list</p>') == []
