"""Who sees what: every page as owner, team-mate, outsider and stranger, by a wrong method, and where nothing is.

Routes are read from the application itself, so a new page is asked for as well; what changes an idea by a rule of the
relay must be listed in `ACTIONS`, or the test says so.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.accounts.rights import VERBS
from tasuki.actions import accounts, sign_in
from tasuki.actions.workspace import Workspace
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app
from tasuki.web.rest.routes import PREFIX

Visiting = Callable[..., TestClient]
PASSWORD = "a sash for everyone 2026"
SAMPLE = {"idea": "idea-4", "kind": "learning", "member": "ren", "token": "none", "number": "1", "stage": "modeling"}
NAMES = {"/experiments/{name:str}": "recency-ab", "/assets/{name:str}": "tasuki.css"}
OWNER, MATE, OUTSIDER = "ren", "mio", "kaito"
"""ren has idea-4, mio has the same role, kaito has none of its stages. aoi is the administrator."""
BRIEF = {"learnings": "学び", "search_words": "語", "next_ideas": "次", "contributions": "modeling = ren"}
ACTIONS = {
    "/rule": ("idea-4", "ren", {"text": "AUC が下がればやめる"}, "ren"),
    "/skip": ("idea-4", "ren", {"stage": "offline_validation", "reason": "既存の検証で足りる"}, "ren"),
    "/kill": ("idea-4", "aoi", {"reason": "効果が小さい"}, "aoi"),
    "/reopen": ("idea-3", "aoi", {"reason": "前提が変わった"}, "aoi"),
    "/debts/{number:int}": ("idea-4", "haru", {"note": "済み"}, "haru"),
    "/attach/{kind:str}": ("idea-4", "ren", BRIEF, "ren"),
    "/hand-off/offer": ("idea-4", "ren", {}, "ren"),
    "/hand-off/pick-up": ("idea-2", "aoi", {}, "aoi"),
    "/hand-off/accept": ("idea-5", "mio", {"answer": "はい", "estimate": "2"}, "mio"),
    "/hand-off/return": ("idea-5", "mio", {"code": "other", "reason": "期間がない"}, "mio"),
    "/contributions/confirm": ("idea-4", "mio", {"stage": "modeling", "member": "ren"}, ""),
}
"""Path below an idea: the idea, who may, the fields, and whom a refusal must name."""


@dataclass(frozen=True)
class Told:
    """The told ideas, and the session of each member who has signed in."""

    file: Path
    sessions: dict[str, str]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Signed in once: a password is slow to try, by intention."""
    file = tmp_path_factory.mktemp("visitors") / "ledger.db"
    ledger = open_ledger(f"sqlite:///{file}", lambda: NOW)
    tell_board(ledger)
    workspace = workspace_of(ledger, file.parent)
    first = accounts.first_link(workspace) or ""
    newcomer = sign_in.NewMember("aoi", ("analyst",))
    sessions = {"aoi": sign_in.accept_invitation(workspace, first, PASSWORD, newcomer)}
    for member in ("haru", "ren", "mio", "kaito"):
        secret = accounts.invite(workspace, member, actor="aoi")
        sessions[member] = sign_in.accept_invitation(workspace, secret, PASSWORD)
    workspace.close()
    return Told(file, sessions)


@pytest.fixture
def team(signed: Told, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copy(signed.file, tmp_path / "ledger.db")
    workspace = workspace_of(open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: NOW), tmp_path)
    yield workspace
    workspace.close()


@pytest.fixture
def visiting(team: Workspace, signed: Told) -> Iterator[Visiting]:
    """Lets a member's browser, or a stranger's, be the one that asks."""
    with TestClient(create_app(team), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        client.follow_redirects = False

        def as_member(member: str = "") -> TestClient:
            client.cookies.clear()
            client.cookies.set("tasuki_language", "ja")
            if member:
                client.cookies.set("tasuki_session", signed.sessions[member])
            return client

        yield as_member


def send(client: TestClient, page: str, path: str, **fields: str) -> object:
    mark = re.search(r'name="_mark" value="([0-9a-f]{64})"', client.get(page).text)[1]
    return client.post(path, data={"_mark": mark, **fields})


def routes(method: str) -> list[tuple[str, dict[str, object]]]:
    """Every route of the pages that answers a method, with what it says about who may."""
    with TemporaryDirectory() as folder:
        workspace = workspace_of(open_ledger(f"sqlite:///{folder}/ledger.db", lambda: NOW), Path(folder))
        found = {
            route.path: dict(handler.opt)
            for route in create_app(workspace).routes
            for handler in getattr(route, "route_handlers", ())
            if method in handler.http_methods and not route.path.startswith((PREFIX, "/schema"))
        }
        workspace.close()
    return sorted(found.items())


GETS, POSTS = routes("GET"), routes("POST")


def filled(path: str, **other: str) -> str:
    """A route's path with samples in the place of its parameters."""
    known = {**SAMPLE, **other}
    if "{name" in path and "name" not in known:
        known["name"] = NAMES.get(path, "")
    return re.sub(r"{(\w+):\w+}", lambda one: known.get(one[1], "nothing-of-that-name"), path)


READABLE = [(path, opt) for path, opt in GETS if opt.get("verb")]
OPEN = {
    "/health": (200, 200),
    "/assets/{name:str}": (200, 200),
    "/sign-in": (200, 303),
    "/sign-in/provider": (404, 404),
    "/sign-in/provider/return": (404, 404),
    "/welcome/{secret:str}": (404, 404),
}
"""What everybody may ask for: how a stranger and a member are answered, without a provider and such a link."""


@pytest.mark.parametrize(("path", "opt"), READABLE, ids=[path for path, _ in READABLE])
def test_every_page_as_owner_team_mate_outsider_and_stranger(
    team: Workspace, visiting: Visiting, path: str, opt: dict[str, str]
) -> None:
    file = f"{team.ledger.state(SAMPLE['idea']).evidence[0].content_hash}.json"
    place, verb = filled(path, file=file), VERBS[opt["verb"]]
    for member in (OWNER, MATE, OUTSIDER, "aoi"):
        client = visiting(member)
        status = client.get(place).status_code
        closed = verb.who == "administrator" and member != "aoi"
        assert status == (403 if closed else 200), f"{member} at {place}"
    stranger = visiting()
    answer = stranger.get(place)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=")


def test_what_is_open_to_everybody_is_listed() -> None:
    assert {path for path, opt in GETS if not opt.get("verb")} == set(OPEN)


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_answers_strangers_and_members(visiting: Visiting, path: str) -> None:
    for_strangers, for_members = OPEN[path]
    stranger = visiting()
    assert stranger.get(filled(path)).status_code == for_strangers
    member = visiting(OUTSIDER)
    assert member.get(filled(path)).status_code == for_members


@pytest.mark.parametrize("path", sorted({path for path, _ in (*GETS, *POSTS)}))
def test_a_wrong_method_is_told_in_words(visiting: Visiting, path: str) -> None:
    client = visiting(OWNER)
    answer = client.delete(filled(path))
    assert answer.status_code == 405
    assert 'lang="ja"' in answer.text


@pytest.mark.parametrize("path", [path for path, opt in READABLE if "{" in path])
def test_what_is_not_there_is_not_found(visiting: Visiting, path: str) -> None:
    last = re.findall(r"{(\w+):", path)[-1]
    for name in {"idea", last} & set(re.findall(r"{(\w+):", path)):
        client = visiting(OUTSIDER)
        answer = client.get(filled(path, **{name: "nothing-of-that-name"}))
        assert answer.status_code == 404, (path, name)
        assert "見つかりません" in answer.text


def test_every_action_that_the_relay_decides_is_listed() -> None:
    decided = {
        path.removeprefix("/ideas/{idea:str}")
        for path, opt in POSTS
        if path.startswith("/ideas/{idea:str}") and VERBS[str(opt["verb"])].who == "rule"
    }
    elsewhere = {path for path in decided if path.startswith("/experiments/")}  # test_experiment_forms tries these
    elsewhere.add("/plan")  # and test_planning_page this one
    assert decided - elsewhere == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_outsider_sees_the_page_cannot_act_and_is_told_who_could(
    team: Workspace, visiting: Visiting, action: str
) -> None:
    idea, able, fields, named = ACTIONS[action]
    path = filled(f"/ideas/{{idea:str}}{action}", idea=idea)
    if action == "/contributions/confirm":
        client = visiting(OWNER)
        send(client, f"/ideas/{idea}", f"/ideas/{idea}/contributions", stage="modeling", text="特徴量の設計")
    stranger = OWNER if action == "/contributions/confirm" else OUTSIDER
    before = team.ledger.state(idea)
    client = visiting(stranger)
    assert client.get(f"/ideas/{idea}").status_code == 200
    refused = send(client, f"/ideas/{idea}", path, **fields)
    assert refused.status_code in (403, 409)
    told = re.sub(r"<[^>]*>", " ", refused.text.partition("<main")[2])
    called = team.ledger.members()[named].display_name if named else ""
    assert re.search(rf"(?<![\w-])({named}(?![\w-])|{re.escape(called)})", told, re.ASCII), told
    assert team.ledger.state(idea) == before
    client = visiting(able)
    done = send(client, f"/ideas/{idea}", path, **fields)
    if action == "/hand-off/offer":
        assert "引き継げません" in done.text, "what is missing is told, not who may"
    else:
        assert done.status_code == 303, done.text
        assert team.ledger.state(idea) != before


def test_the_hand_off_screen_shows_buttons_only_to_those_who_may(team: Workspace, visiting: Visiting) -> None:
    for idea, able, button in (
        ("idea-4", "ren", "/hand-off/offer"),
        ("idea-2", "aoi", "/hand-off/pick-up"),
        ("idea-5", "mio", "/hand-off/accept"),
    ):
        for member in (able, OUTSIDER):
            client = visiting(member)
            page = client.get(f"/ideas/{idea}/hand-off").text
            assert (f"{idea}{button}" in page) == (member == able), (member, idea)
            assert team.ledger.members()[able].display_name in page
