"""REST: documents, keys, pages, problems, the stream; and who may do what, for every route there is."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.accounts.account import Account
from tasuki.accounts.door import Door
from tasuki.accounts.rights import SCOPES, VERBS
from tasuki.actions import account_story, passwords, sign_in, tokens
from tasuki.actions.workspace import Workspace
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app

API = "/api/v1"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder: Path = tmp_path_factory.mktemp("rest-team")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    tell_board(ledger)
    workspace = replace(workspace_of(ledger, folder), door=Door(sign_in="on"))
    store = account_story.store_of(workspace)
    store.save(Account("aoi", is_administrator=True))
    store.save(Account("ren"))
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def client(team: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(team), base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        one.follow_redirects = False
        yield one


def bearer(team: Workspace, member: str, *scopes: str) -> dict[str, str]:
    secret, _ = tokens.make_token(team, member, tokens.TokenWish("test", scopes), actor="aoi")
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def aoi(team: Workspace) -> dict[str, str]:
    return bearer(team, "aoi", *SCOPES)


def test_a_document_is_the_command_lines(client: TestClient, aoi: dict[str, str]) -> None:
    said = client.get(f"{API}/ideas/idea-1", headers=aoi).json()
    assert next(iter(said)) == "schema"
    assert said["schema"] == "tasuki.idea/1"
    assert said["status"] == "concluded"


def test_pages_of_a_list_hold_each_item_once(client: TestClient, aoi: dict[str, str]) -> None:
    everything = [one["idea"] for one in client.get(f"{API}/ideas?limit=200", headers=aoi).json()["ideas"]]
    seen, cursor = [], ""
    while cursor is not None:
        part = client.get(f"{API}/ideas?limit=2{f'&cursor={cursor}' if cursor else ''}", headers=aoi).json()
        assert 1 <= len(part["ideas"]) <= 2
        seen += [one["idea"] for one in part["ideas"]]
        cursor = part["next_cursor"]
    assert seen == everything


@pytest.mark.parametrize("cursor", ["nonsense", "aWRlYS05OTk5", "%00", "é"])
def test_a_cursor_of_another_list_is_refused(client: TestClient, aoi: dict[str, str], cursor: str) -> None:
    answer = client.get(f"{API}/ideas", params={"cursor": cursor}, headers=aoi)
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["where"] == "cursor"


def test_the_same_key_does_it_once_and_another_request_is_refused(client: TestClient, aoi: dict[str, str]) -> None:
    keyed = {**aoi, "idempotency-key": "open-once"}
    first = client.post(f"{API}/ideas", json={"title": "夜の入札"}, headers=keyed)
    again = client.post(f"{API}/ideas", json={"title": "夜の入札"}, headers=keyed)
    other = client.post(f"{API}/ideas", json={"title": "昼の入札"}, headers=keyed)
    assert first.status_code == again.status_code == 201
    assert first.json()["idea"] == again.json()["idea"]
    assert other.status_code == 409
    assert "a key stands for one request" in other.json()["rule"]


def test_a_problem_says_what_was_expected_and_what_to_do(client: TestClient, aoi: dict[str, str]) -> None:
    answer = client.post(f"{API}/ideas", json={"title": " ", "flow": "nope", "estimate_days": -1}, headers=aoi)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert {one["where"] for one in answer.json()["faults"]} == {"title", "flow", "estimate"}


def test_a_problem_has_stable_codes_and_speaks_japanese_when_asked(client: TestClient, aoi: dict[str, str]) -> None:
    body = {"title": " ", "flow": "nope"}
    english = client.post(f"{API}/ideas", json=body, headers=aoi).json()
    answer = client.post(f"{API}/ideas", json=body, headers={**aoi, "accept-language": "ja,en;q=0.5"})
    japanese = answer.json()
    assert answer.headers["content-language"] == "ja"
    assert english["detail"] == "the idea was not opened: 2 fault(s)"
    assert japanese["detail"] == "施策を起票できませんでした。問題が 2 件あります。"
    assert "nope というフローはありません。" in {one["what"] for one in japanese["faults"]}
    assert english["code"] == japanese["code"] == "flow.idea_not_opened_faults"
    assert [one["code"] for one in english["faults"]] == [one["code"] for one in japanese["faults"]]
    assert all(one["code"] for one in english["faults"])


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"titel": "typo"}, ""),
        ({"title": 5}, "title"),
        ({"title": "x", "estimate_days": "two"}, "estimate_days"),
        ([], ""),
        ("text", ""),
    ],
)
def test_a_body_that_does_not_fit_names_its_field(
    client: TestClient, aoi: dict[str, str], body: object, where: str
) -> None:
    answer = client.post(f"{API}/ideas", json=body, headers=aoi)
    assert answer.status_code == 400
    assert where in json.dumps(answer.json()["faults"])


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"title": NaN}', b""])
def test_broken_json_is_a_fault_of_the_request(client: TestClient, aoi: dict[str, str], body: bytes) -> None:
    answer = client.post(f"{API}/ideas", content=body, headers={**aoi, "content-type": "application/json"})
    assert answer.status_code == 400


def test_a_large_body_is_refused(client: TestClient, aoi: dict[str, str]) -> None:
    answer = client.post(f"{API}/ideas", json={"title": "x" * 3_000_000}, headers=aoi)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_stream_tells_each_event_of_an_idea_after_a_position(client: TestClient, aoi: dict[str, str]) -> None:
    whole = client.get(f"{API}/events?after=0&once=true", headers=aoi).text
    positions = [int(one) for one in re.findall(r"^id: (\d+)", whole, re.M)]
    assert positions == sorted(set(positions))
    assert "member_added" not in whole
    assert "token_made" not in whole
    rest = client.get(f"{API}/events?once=true", headers={**aoi, "last-event-id": str(positions[-2])}).text
    assert [int(one) for one in re.findall(r"^id: (\d+)", rest, re.M)] == positions[-1:]


def test_nobody_without_a_token_learns_anything(client: TestClient) -> None:
    answer = client.get(f"{API}/ideas")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get(f"{API}/ideas", headers={"authorization": "Bearer nonsense"}).status_code == 401
    assert client.get(f"{API}/ideas", headers={"authorization": "Basic YTpi"}).status_code == 401


def test_a_browser_session_may_ask_but_changes_only_with_its_mark(team: Workspace) -> None:
    from tasuki.accounts.secret import form_mark

    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    account_story.store_of(team).save(Account("mio", password_hash=cheap.hash("milk and bread, every day")))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "hasher", lambda: cheap)
        session = sign_in.sign_in(team, "mio", "milk and bread, every day", "127.0.0.1")
    back = sign_in.come_back(team, session)
    with TestClient(create_app(team), base_url="http://127.0.0.1") as browser:
        browser.cookies.set("tasuki_session", session)
        assert browser.get(f"{API}/my-work").json()["member"] == "mio"
        path, body = f"{API}/ideas/idea-2/comments", {"text": "読みました"}
        assert browser.post(path, json=body).status_code == 403
        assert browser.post(path, json=body, headers={"x-tasuki-mark": form_mark(back.visitor.csrf)}).status_code == 200


def routes(team: Workspace) -> list[tuple[str, str, str]]:
    """Every route that names a verb: method, path with its parameters filled in, verb."""
    found = []
    for route in create_app(team).routes:
        for handler in getattr(route, "route_handlers", ()):
            if "verb" in handler.opt:
                path = re.sub(r"\{number:int\}", "1", route.path)
                path = re.sub(r"\{\w+:str\}", "nothing-of-that-name", path)
                for method in handler.http_methods:
                    found.append((str(method), path, handler.opt["verb"]))
    return sorted(found)


def ask(client: TestClient, method: str, path: str, headers: dict[str, str]) -> int:
    query = {"once": "true"} if path.endswith("/events") else None
    body = {"json": {}} if method != "GET" and path.startswith(API) else {}
    return client.request(method, path, headers=headers, params=query, **body).status_code


def test_every_answer_to_everybody_is_described(client: TestClient, team: Workspace) -> None:
    """Each operation × stranger, each scope of a member and of the administrator: status and media type."""
    paths = client.get(f"{API}/openapi.json").json()["paths"]
    asking = {(member, scope): bearer(team, member, scope) for member in ("aoi", "ren") for scope in SCOPES}
    wrong = []
    for path, methods in paths.items():
        place = re.sub(r"\{number\}", "1", path)
        place = re.sub(r"\{\w+\}", "nothing-of-that-name", place)
        for method, operation in methods.items():
            for who, headers in {("nobody", ""): {}, **asking}.items():
                query = {"once": "true"} if path.endswith("/events") else None
                body = {"json": {}} if method == "post" else {}
                answer = client.request(method, place, headers=headers, params=query, **body)
                described = operation["responses"].get(str(answer.status_code), {}).get("content", {})
                kind = answer.headers["content-type"].partition(";")[0]
                if kind not in described:
                    wrong.append(f"{who}: {method} {path} is {answer.status_code} as {kind}")
    assert not wrong, "\n".join(wrong)


def test_every_right_of_every_route(client: TestClient, team: Workspace) -> None:
    """The matrix: route × (stranger, each scope alone, member, administrator)."""
    alone = {(member, scope): bearer(team, member, scope) for member in ("aoi", "ren") for scope in SCOPES}
    wrong = []
    for method, path, verb in routes(team):
        wanted = VERBS[verb]
        stranger = ask(client, method, path, {})
        if stranger != (401 if path.startswith(API) else 303):
            wrong.append(f"a stranger's {method} {path} is {stranger}")
        for (member, scope), headers in alone.items():
            allowed = wanted.scope == scope and (wanted.who != "administrator" or member == "aoi")
            status = ask(client, method, path, headers)
            if allowed and wanted.who != "rule" and status in (401, 403, 500):
                wrong.append(f"{member} with {scope}: {method} {path} is {status}")
            if not allowed and status != 403:
                wrong.append(f"{member} with {scope} may not {verb}: {method} {path} is {status}")
    assert not wrong, "\n".join(wrong)


def test_the_description_closes_requests_and_names_problems(client: TestClient) -> None:
    described = client.get(f"{API}/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    operations = [(path, one) for path, methods in described["paths"].items() for one in methods.values()]
    assert all(path.startswith(API) for path, _ in operations)
    assert all({"400", "401", "403"} <= set(one["responses"]) for _, one in operations)
    assert described["components"]["schemas"]["NewIdeaBody"]["additionalProperties"] is False
