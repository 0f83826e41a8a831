"""Coming in: the first administrator, invitations, passwords, sessions, tokens; and what keeps others out."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from litestar.testing import TestClient

from tasuki.accounts.door import Door
from tasuki.actions import accounts, passwords, tokens
from tasuki.actions.members import add_member
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.flow.event import ACCOUNT_STREAM
from tasuki.flow.playbook import default_playbook
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app

PASSWORD = "milk and bread, every day"
Client = TestClient


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", lambda: cheap)
    passwords.nobodys_hash.cache_clear()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime(2026, 11, 24, 9, tzinfo=UTC))


@pytest.fixture
def team(tmp_path: Path, clock: MovableClock) -> Iterator[Workspace]:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock)
    workspace = Workspace(
        folder=tmp_path,
        name="team",
        language="en",
        ledger=ledger,
        playbook=default_playbook(),
        clock=clock,
        flow="model",
        formation="planner_maker_evaluator",
        member="",
        tables={},
        door=Door(sign_in="on"),
    )
    for name, role in (("aoi", "analyst"), ("ren", "data_scientist")):
        add_member(workspace, name, actor="aoi", roles=[role], language="en")
    yield workspace
    workspace.close()


def visiting(workspace: Workspace) -> Client:
    client = TestClient(create_app(workspace), base_url="http://127.0.0.1", raise_server_exceptions=False)
    client.follow_redirects = False
    return client


@pytest.fixture
def client(team: Workspace) -> Iterator[Client]:
    with visiting(team) as one:
        yield one


def mark_on(client: Client, path: str) -> str:
    found = re.search(r'name="_mark" value="([0-9a-f]{64})"', client.get(path).text)
    assert found, f"{path} has no form"
    return found[1]


def send(client: Client, path: str, page: str, **fields: object) -> object:
    return client.post(path, data={"_mark": mark_on(client, page), **fields})


def become_administrator(client: Client, team: Workspace, name: str = "aoi") -> None:
    link = f"/welcome/{accounts.first_link(team)}"
    assert send(client, link, link, name=name, role="analyst", password=PASSWORD).status_code == 303


def test_a_stranger_is_led_to_the_sign_in_and_back(client: Client) -> None:
    answer = client.get("/my-work")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fmy-work"


def test_the_first_administrator_comes_in_by_a_link_that_works_once(client: Client, team: Workspace) -> None:
    link = f"/welcome/{accounts.first_link(team)}"
    sent = send(client, link, link, name="aoi", role="analyst", password=PASSWORD)
    assert sent.status_code == 303
    assert client.get("/accounts").status_code == 200
    assert client.get(link).status_code == 404
    assert accounts.first_link(team) is None


def test_the_first_administrator_may_be_new_to_the_team(client: Client, team: Workspace) -> None:
    link = f"/welcome/{accounts.first_link(team)}"
    send(client, link, link, name="yui", role="ml_engineer", password=PASSWORD)
    assert team.ledger.members()["yui"].roles == ("ml_engineer",)


def test_a_weak_password_leaves_the_link_usable(client: Client, team: Workspace) -> None:
    link = f"/welcome/{accounts.first_link(team)}"
    weak = send(client, link, link, name="aoi", role="analyst", password="short")
    assert weak.status_code == 400
    assert "at least 12" in weak.text
    assert client.get(link).status_code == 200


def test_an_invitation_lets_a_member_in(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    shown = send(client, "/accounts/ren/invite", "/accounts")
    link = re.search(r"http://127\.0\.0\.1(/welcome/[\w-]+)", shown.text)[1]
    with visiting(team) as ren:
        assert send(ren, link, link, password=PASSWORD).status_code == 303
        assert "ren" in ren.get("/account").text
        assert send(ren, "/accounts/aoi/invite", "/account").status_code == 403


def test_an_invitation_ends_after_a_week(client: Client, team: Workspace, clock: MovableClock) -> None:
    become_administrator(client, team)
    secret = accounts.invite(team, "ren", actor="aoi")
    clock.advance(days=8)
    assert client.get(f"/welcome/{secret}").status_code == 404


def test_a_new_session_id_is_given_at_sign_in(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    client.cookies.clear()
    client.cookies.set("tasuki_session", "planted-by-somebody-else-0000")
    answer = send(client, "/sign-in", "/sign-in", name="aoi", password=PASSWORD, next="/cases")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/cases"
    cookie = answer.headers["set-cookie"]
    assert "planted" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_cookies_are_for_encrypted_connections_only_behind_https(team: Workspace) -> None:
    encrypted = replace(team, door=Door(sign_in="on", public_url="https://127.0.0.1"))
    link = f"/welcome/{accounts.first_link(team)}"
    with visiting(encrypted) as client:
        assert "Secure" in client.get(link).headers["set-cookie"]


def test_signing_out_ends_the_session_everywhere_it_was_copied_to(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    copied = client.cookies["tasuki_session"]
    send(client, "/sign-out", "/account")
    client.cookies.set("tasuki_session", copied)
    assert client.get("/account").status_code == 303


def test_a_session_ends_when_nobody_uses_it(client: Client, team: Workspace, clock: MovableClock) -> None:
    become_administrator(client, team)
    clock.advance(days=6)
    assert client.get("/account").status_code == 200
    clock.advance(days=6)
    assert client.get("/account").status_code == 200
    clock.advance(days=8)
    assert client.get("/account").status_code == 303


def test_guessing_is_stopped_for_a_while_and_right_passwords_too(
    client: Client, team: Workspace, clock: MovableClock
) -> None:
    become_administrator(client, team)
    client.cookies.clear()
    for _ in range(5):
        assert send(client, "/sign-in", "/sign-in", name="aoi", password="wrong wrong wrong").status_code == 403
    stopped = send(client, "/sign-in", "/sign-in", name="aoi", password=PASSWORD)
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 0
    clock.advance(minutes=16)
    assert send(client, "/sign-in", "/sign-in", name="aoi", password=PASSWORD).status_code == 303


def test_an_unknown_name_is_answered_as_a_wrong_password(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    client.cookies.clear()
    unknown = send(client, "/sign-in", "/sign-in", name="nobody", password=PASSWORD)
    wrong = send(client, "/sign-in", "/sign-in", name="aoi", password="wrong wrong wrong")
    assert unknown.status_code == wrong.status_code == 403
    assert unknown.text.replace("nobody", "aoi").count("go together") == wrong.text.count("go together") == 1


@pytest.mark.parametrize(
    "onward",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y", "\t//x"],
)
def test_a_sign_in_never_leads_to_another_site(client: Client, team: Workspace, onward: str) -> None:
    become_administrator(client, team)
    client.cookies.clear()
    answer = send(client, "/sign-in", "/sign-in", name="aoi", password=PASSWORD, next=onward)
    assert answer.headers["location"] == "/"


def test_a_form_without_its_mark_changes_nothing(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    assert client.post("/accounts", data={"name": "mallory", "role": "analyst"}).status_code == 403
    assert client.post("/accounts", data={"name": "mallory", "role": "analyst", "_mark": "0" * 64}).status_code == 403
    foreign = {"origin": "https://evil.example"}
    form = {"name": "mallory", "role": "analyst", "_mark": mark_on(client, "/accounts")}
    assert client.post("/accounts", data=form, headers=foreign).status_code == 403
    assert "mallory" not in team.ledger.members()
    assert client.post("/accounts", data=form).status_code == 303
    assert "mallory" in team.ledger.members()


def test_a_disabled_account_is_out_at_once(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    secret = accounts.invite(team, "ren", actor="aoi")
    with visiting(team) as ren:
        send(ren, f"/welcome/{secret}", f"/welcome/{secret}", password=PASSWORD)
        token, _ = tokens.make_token(team, "ren", tokens.TokenWish("mine", ["read"]), actor="ren")
        send(client, "/accounts/ren/access", "/accounts", access="disable")
        assert ren.get("/account").status_code == 303
        assert ren.get("/cases", headers={"authorization": f"Bearer {token}"}).status_code == 303


def test_the_last_administrator_stays(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    assert send(client, "/accounts/aoi/access", "/accounts", access="no_administrator").status_code == 409
    assert send(client, "/accounts/aoi/access", "/accounts", access="disable").status_code == 409


def test_a_token_is_shown_once_and_kept_as_a_hash(client: Client, team: Workspace, tmp_path: Path) -> None:
    become_administrator(client, team)
    shown = send(client, "/account/tokens", "/account", label="nightly", scope="read", days="30")
    secret = re.search(r"tasuki_[\w-]+", shown.text)[0]
    assert secret not in client.get("/account").text
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.glob("ledger.db*"))
    bearer = {"authorization": f"Bearer {secret}"}
    client.cookies.clear()
    assert client.get("/cases", headers=bearer).status_code == 200
    assert client.post("/accounts", data={"name": "x", "role": "analyst"}, headers=bearer).status_code == 403


def test_a_token_ends(client: Client, team: Workspace, clock: MovableClock) -> None:
    become_administrator(client, team)
    secret, token = tokens.make_token(team, "aoi", tokens.TokenWish("short", ["read"], days=1), actor="aoi")
    bearer = {"authorization": f"Bearer {secret}"}
    client.cookies.clear()
    assert client.get("/cases", headers=bearer).status_code == 200
    clock.advance(days=1)
    assert client.get("/cases", headers=bearer).status_code == 303
    assert token.expires_at - token.created_at == timedelta(days=1)


def test_what_happened_to_accounts_is_in_the_ledger_without_secrets(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    kinds = [event.kind for event in team.ledger.events(ACCOUNT_STREAM)]
    assert kinds == ["password_set", "administrator_named", "signed_in"]
    assert PASSWORD not in repr(team.ledger.events(ACCOUNT_STREAM))
    audit = client.get("/audit?stream=accounts")
    assert audit.status_code == 200
    assert "signed in" in audit.text
    assert team.ledger.verify() == ()


def test_changing_the_password_signs_out_elsewhere(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    with visiting(team) as other:
        send(other, "/sign-in", "/sign-in", name="aoi", password=PASSWORD)
        changed = send(client, "/account/password", "/account", old=PASSWORD, new="another long sentence")
        assert changed.status_code == 303
        assert client.get("/account").status_code == 200
        assert other.get("/account").status_code == 303


def test_alone_on_this_machine_nobody_signs_in_and_one_may_act_as_anybody(team: Workspace) -> None:
    with visiting(replace(team, door=Door())) as client:
        assert "Work of aoi" in client.get("/my-work").text
        send(client, "/acting-as", "/my-work", member="ren", next="/my-work")
        assert "Work of ren" in client.get("/my-work").text
        assert send(client, "/acting-as", "/my-work", member="nobody").status_code == 404


def test_whoever_signs_in_reads_their_own_language(client: Client, team: Workspace) -> None:
    become_administrator(client, team)
    add_member(team, "mio", actor="aoi", roles=["analyst"], language="ja")
    secret = accounts.invite(team, "mio", actor="aoi")
    with visiting(team) as mio:
        send(mio, f"/welcome/{secret}", f"/welcome/{secret}", password=PASSWORD)
        assert '<html lang="ja">' in mio.get("/", headers={"accept-language": "en"}).text
        assert '<html lang="en">' in mio.get("/?lang=en").text
    assert '<html lang="en">' in client.get("/", headers={"accept-language": "ja"}).text


def test_every_route_says_who_may_use_it_or_is_closed(team: Workspace) -> None:
    app = create_app(team)
    silent = {
        route.path
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if "verb" not in handler.opt and not handler.opt.get("open") and handler.handler_name != "options_handler"
    }
    assert all(path.startswith("/api/v1/-") for path in silent)  # the framework's own, of which nothing is served
    with visiting(team) as client:
        assert {client.get(path).status_code for path in silent} <= {403, 404}
