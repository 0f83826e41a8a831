"""REST has every verb of the command line, answers with its very documents, and reads no file that is not a table."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.accounts.account import Account
from tasuki.accounts.door import Door
from tasuki.accounts.rights import SCOPES, VERBS
from tasuki.actions import account_story, tokens
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import app as command_line
from tasuki.cli.main import main
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app
from tasuki.web.rest import calculations

API = "/api/v1"
DOCS = Path(__file__).parents[2] / "docs" / "rest.md"
ROWS = "unit,arm,revenue,clicks,views,converted\n" + "".join(
    f"u{n},{'treatment' if n % 2 else 'control'},{(n * 37) % 101 / 10 + (n % 2)},{n % 3},{n % 7 + 3},{n % 5 == 0:d}\n"
    for n in range(400)
)
SCORES = "label,old,new\n" + "".join(
    f"{int(n % 4 == 0)},{0.2 + n % 5 / 20},{0.2 + n % 3 / 20 + (n % 4 == 0) / 5}\n" for n in range(400)
)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder: Path = tmp_path_factory.mktemp("verbs")
    (folder / "units.csv").write_text(ROWS, encoding="utf-8")
    (folder / "scores.csv").write_text(SCORES, encoding="utf-8")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    tell_board(ledger)
    tables = {"units": str(folder / "units.csv"), "scores": str(folder / "scores.csv")}
    workspace = replace(workspace_of(ledger, folder), door=Door(sign_in="on"), tables=tables)
    account_story.store_of(workspace).save(Account("aoi", is_administrator=True))
    account_story.store_of(workspace).save(Account("ren"))
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def client(team: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(team), base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        yield one


def bearer(team: Workspace, member: str, *scopes: str) -> dict[str, str]:
    secret, _ = tokens.make_token(team, member, tokens.TokenWish("test", scopes), actor="aoi")
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def aoi(team: Workspace) -> dict[str, str]:
    return bearer(team, "aoi", *SCOPES)


def commands() -> set[str]:
    found = set()
    for name, one in typer.main.get_command(command_line).commands.items():  # type: ignore[attr-defined]
        # Hidden ones only point to the command that is meant.
        verbs = {verb: it for verb, it in getattr(one, "commands", {}).items() if not it.hidden}
        found |= {f"{name} {verb}" for verb in verbs} if hasattr(one, "commands") else {name}
    return found


def documented() -> dict[str, str]:
    return dict(re.findall(r"^\| (?:`([^`]+)`|\(pages only\)) \| (.+) \|$", DOCS.read_text(encoding="utf-8"), re.M))


def test_every_command_is_an_endpoint_or_says_why_not(client: TestClient) -> None:
    table = documented()
    assert set(table) - {""} == commands()
    there = {
        f"{method.upper()} {path.removeprefix(API)}"
        for path, methods in client.get(f"{API}/openapi.json").json()["paths"].items()
        for method in methods
    }
    named = {one for cell in table.values() for one in re.findall(r"`((?:GET|POST|DELETE) [^`]+)`", cell)}
    assert named - there == {"GET /health"}  # of the pages, for those that watch
    assert there - named == set()
    for command, cell in table.items():
        assert re.search(r"`(GET|POST|DELETE) ", cell) or re.search(r"not here: .{10,}", cell), command


def test_every_verb_of_the_table_is_asked_for_somewhere(team: Workspace) -> None:
    asked = {
        handler.opt["verb"]
        for route in create_app(team).routes
        for handler in getattr(route, "route_handlers", ())
        if "verb" in handler.opt
    }
    assert asked == set(VERBS)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_calculations_say_what_the_command_says(
    client: TestClient, team: Workspace, aoi: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(what: str, body: dict[str, Any]) -> Any:
        answer = client.post(f"{API}/calculations/{what}", json=body, headers=aoi)
        assert answer.status_code == 200, answer.text
        return answer.json()

    units, scores = team.tables["units"], team.tables["scores"]
    compared = ["compare", units, "--variant", "arm", "--mean", "revenue", "--ratio", "clicks/views"]
    body = {
        "table": "units",
        "variant": "arm",
        "means": ["revenue"],
        "ratios": [{"numerator": "clicks", "denominator": "views"}],
    }
    assert ask("compare", body) == told(capsys, *compared)
    models = {"label": "label", "champion": "old", "challenger": "new"}
    options = [word for name, column in models.items() for word in (f"--{name}", column)]
    assert ask("offline-compare", {"table": "scores", **models}) == told(capsys, "offline", "compare", scores, *options)
    sized = {"kind": "proportion", "baseline": 0.1, "mde": 0.05, "relative": True}
    words = ["plan", "--kind", "proportion", "--baseline", "0.1", "--mde", "0.05", "--relative"]
    assert ask("plan", sized) == told(capsys, *words)
    arms = {"control": 0.5, "treatment": 0.5}
    assert ask("assign", {"units": ["a", "b"], "salt": "s", "arms": arms}) == told(
        capsys, "assign", "a", "b", "--salt", "s", "--arms", "control=0.5,treatment=0.5"
    )


@pytest.mark.parametrize(
    "table", ["/etc/passwd", "units.csv", "../units.csv", "*.csv", "https://evil.example/x.csv", "UNITS", "", "units;"]
)
def test_a_table_is_named_and_never_a_path(client: TestClient, aoi: dict[str, str], table: str) -> None:
    body = {"table": table, "variant": "arm", "means": ["revenue"]}
    answer = client.post(f"{API}/calculations/compare", json=body, headers=aoi)
    assert answer.status_code == 404
    assert "no table" in answer.json()["detail"]


@pytest.mark.parametrize(
    "column",
    ["read_text('/etc/passwd')", "(select 1)", "getenv('HOME')", "revenue; drop table x", "count(*)", "x" * 1_999],
)
def test_an_expression_is_arithmetic_and_nothing_of_the_engines_own(
    client: TestClient, aoi: dict[str, str], column: str
) -> None:
    for body in ({"means": [column]}, {"means": ["revenue"], "filters": {"revenue": column}}):
        asked = {"table": "units", "variant": "arm", **body}
        answer = client.post(f"{API}/calculations/compare", json=asked, headers=aoi)
        assert answer.status_code == 400, answer.text
        assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("calculations/plan", {"kind": "mean", "baseline": 0, "variance": 0, "mde": 0}),
        ("calculations/plan", {"kind": "proportion", "baseline": 0.5, "mde": 1e-12, "units_per_day": 1e-300}),
        ("calculations/plan", {"kind": "proportion", "baseline": 0.1, "units": 2, "split": [0, 0]}),
        ("calculations/plan", {"kind": "mean", "baseline": 1, "mde": 0.1, "looks": [0], "looking": "group_sequential"}),
        ("calculations/assign", {"units": ["a"], "salt": "x", "arms": {"a": 1}, "range": [1, 0]}),
        ("ideas/idea-2/experiments/e/book", {"kind": "check", "days": 1000, "first_day": "9999-12-31"}),
        ("ideas/idea-2/experiments/e/book", {"kind": "check", "first_day": "0001-01-01"}),
        ("members", {"name": "..", "roles": ["analyst"]}),
        ("members", {"name": "../x", "roles": ["analyst"]}),
        ("tokens", {"label": "x", "scopes": ["root"]}),
    ],
)
def test_what_cannot_be_is_a_fault_of_the_request(
    client: TestClient, aoi: dict[str, str], path: str, body: dict[str, Any]
) -> None:
    answer = client.post(f"{API}/{path}", json=body, headers=aoi)
    assert answer.status_code == 400, answer.text
    assert client.get(f"{API}/audit?after={10**20}", headers=aoi).status_code == 400


def test_one_calculation_too_many_is_told_to_come_back(client: TestClient, aoi: dict[str, str]) -> None:
    body = {"table": "units", "variant": "arm", "means": ["revenue"]}
    with calculations.one_of_few(), calculations.one_of_few():
        answer = client.post(f"{API}/calculations/compare", json=body, headers=aoi)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert client.post(f"{API}/calculations/compare", json=body, headers=aoi).status_code == 200


def test_a_slot_is_booked_once_by_key_and_stands_in_the_calendar(client: TestClient, aoi: dict[str, str]) -> None:
    opened = client.post(f"{API}/ideas", json={"title": "夜の入札"}, headers=aoi).json()["idea"]
    path, body = f"{API}/ideas/{opened}/experiments/night/book", {"kind": "check", "queue": True}
    keyed = {**aoi, "idempotency-key": "book-once"}
    first, again = (client.post(path, json=body, headers=keyed) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    slots = client.get(f"{API}/calendar", headers=aoi).json()["slots"]
    assert [one["lane"] for one in slots if one["experiment"] == "night"] == ["ab1"]
    assert client.post(path, json={"kind": "check", "lane": "ab9"}, headers=keyed).status_code == 409
    start = {"kind": "check", "model": "ctr", "split": {"control": 0.9, "treatment": 0.1}}
    refused = client.post(f"{API}/ideas/{opened}/experiments/night/start", json=start, headers=aoi)
    assert refused.status_code in (404, 409)


def test_a_report_is_a_file_and_not_a_page_of_this_site(client: TestClient, aoi: dict[str, str]) -> None:
    ideas = client.get(f"{API}/ideas?limit=200", headers=aoi).json()["ideas"]
    compared = [
        (one["idea"], entry)
        for one in ideas
        for entry in client.get(f"{API}/ideas/{one['idea']}/evidence", headers=aoi).json()["evidence"]
        if entry["kind"] == "comparison_report"
    ]
    idea, entry = compared[0]
    record = client.get(f"{API}/ideas/{idea}/evidence/{entry['content_hash']}", headers=aoi).json()["evidence"][
        "record"
    ]
    answer = client.get(f"{API}/ideas/{idea}/experiments/{record['experiment']}/report?lang=ja", headers=aoi)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "<html" in answer.text


def test_a_token_of_the_relay_makes_no_other_token(client: TestClient, team: Workspace) -> None:
    wish = {"label": "more", "scopes": ["read", "relay", "run", "admin"]}
    for scopes in (["relay"], ["read", "relay", "run"]):
        headers = bearer(team, "aoi", *scopes)
        assert client.post(f"{API}/tokens", json=wish, headers=headers).status_code == 403
        form = client.post("/account/tokens", data={"label": "x", "scope": "run", "days": "3"}, headers=headers)
        assert form.status_code == 403


def test_tokens_are_ones_own_and_an_administrators(client: TestClient, team: Workspace, aoi: dict[str, str]) -> None:
    made = client.post(f"{API}/tokens", json={"label": "ren's", "scopes": ["read"], "member": "ren"}, headers=aoi)
    assert made.status_code == 201
    listed = client.get(f"{API}/tokens?member=ren", headers=aoi)
    assert made.json()["token"] not in listed.text
    assert made.json()["id"] in listed.text
    own = {"authorization": f"Bearer {made.json()['token']}"}
    assert client.get(f"{API}/ideas", headers=own).status_code == 200
    assert client.delete(f"{API}/tokens/{made.json()['id']}", headers=aoi).status_code == 200
    assert client.get(f"{API}/ideas", headers=own).status_code == 401
    assert client.delete(f"{API}/tokens/{made.json()['id']}", headers=aoi).status_code == 404


def test_members_are_added_invited_and_kept_out(client: TestClient, aoi: dict[str, str]) -> None:
    body = {"name": "sora", "roles": ["analyst"]}
    assert client.post(f"{API}/members", json=body, headers=aoi).status_code == 201
    assert client.post(f"{API}/members", json=body, headers=aoi).status_code == 409
    link = client.post(f"{API}/members/sora/invitation", headers=aoi).json()["link"]
    assert client.get(link.removeprefix("http://127.0.0.1")).status_code == 200
    roles = client.post(f"{API}/members/sora/roles", json={"roles": ["researcher"]}, headers=aoi)
    assert roles.json()["roles"] == ["researcher"]
    access = f"{API}/members/sora/access"
    assert client.post(access, json={}, headers=aoi).status_code == 400
    assert client.post(access, json={"disabled": True}, headers=aoi).json()["disabled"] is True
    known = {one["name"]: one for one in client.get(f"{API}/accounts", headers=aoi).json()["accounts"]}
    assert known["sora"]["disabled"]
    assert not known["aoi"]["disabled"]
    assert client.post(f"{API}/members/aoi/access", json={"disabled": True}, headers=aoi).status_code == 409


def test_the_audit_is_read_page_by_page_and_holds_no_secret(client: TestClient, aoi: dict[str, str]) -> None:
    secret = client.post(f"{API}/tokens", json={"label": "x", "scopes": ["read"]}, headers=aoi).json()["token"]
    seen, after, text = [], 0, ""
    while after is not None:
        page = client.get(f"{API}/audit?after={after}&limit=100", headers=aoi)
        seen += [one["position"] for one in page.json()["events"]]
        after, text = page.json()["next_after"], text + page.text
    assert seen == sorted(set(seen))
    assert "token_made" in text
    assert secret not in text
