"""What keeps others out: marks, headers, hosts, limits, secrets; over every route where that can be."""

import logging
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from guarded_team import API, guarded, routes_of, signed_in, visiting
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send
from told_ideas import NOW

from tasuki.accounts.account import Account
from tasuki.accounts.rights import SCOPES
from tasuki.accounts.throttle import ANYWHERE_LIMIT
from tasuki.actions import account_story, accounts, passwords, sign_in, tokens
from tasuki.actions.workspace import Workspace
from tasuki.store.backup import write_backup
from tasuki.web.app import create_app
from tasuki.web.guard import SECURITY_HEADERS, client_address
from tasuki.web.streams import AT_ONCE, PER_MEMBER, Streams, TooManyStreams

PASSWORD = "milk and bread, every day"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with guarded(tmp_path_factory.mktemp("guarded")) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def served(team: Workspace) -> Iterator[TestClient]:
    with visiting(team) as client:
        yield client


@pytest.fixture
def client(served: TestClient) -> TestClient:
    served.cookies.clear()
    return served


@pytest.fixture
def aoi(team: Workspace) -> dict[str, str]:
    secret, _ = tokens.make_token(team, "aoi", tokens.TokenWish("test", SCOPES), actor="aoi")
    return {"authorization": f"Bearer {secret}"}


def test_every_answer_carries_the_headers_that_protect_readers(client: TestClient, team: Workspace) -> None:
    for member in ("", "aoi"):
        if member:
            signed_in(team, client, member)
        paths = [one.path for one in routes_of(team) if not one.path.endswith("/events")]
        for path in [*paths, "/no-such-page", f"{API}/no-such", f"{API}/events?once=true&after=0", "/assets/../x"]:
            for method in ("GET", "POST", "PUT", "OPTIONS"):
                answer = client.request(method, path)
                missing = {name for name in SECURITY_HEADERS if answer.headers.get(name) != SECURITY_HEADERS[name]}
                assert not missing, f"{method} {path} ({answer.status_code}) lacks {missing}"
                assert "access-control-allow-origin" not in answer.headers
                assert answer.status_code < 500
                assert "strict-transport-security" not in answer.headers


def test_nothing_changes_without_the_mark_of_this_sites_own_page(client: TestClient, team: Workspace) -> None:
    mark = signed_in(team, client, "aoi")
    changing = [one for one in routes_of(team) if one.method not in ("GET", "HEAD", "OPTIONS")]
    assert len(changing) > 50
    size = team.ledger.size()
    json = {"json": {}}
    for one in changing:
        body = json if one.path.startswith(API) else {"data": {"name": "mallory"}}
        for headers in ({}, {"x-tasuki-mark": "0" * 64}, {"x-tasuki-mark": mark, "origin": "https://evil.example"}):
            answer = client.request(one.method, one.path, headers=headers, **body)
            assert answer.status_code == 403, f"{one.method} {one.path} with {headers} is {answer.status_code}"
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json",
        ):  # another site can send these
            headers = {"content-type": kind, "origin": "null"}
            assert client.request(one.method, one.path, content=b"{}", headers=headers).status_code == 403
    assert team.ledger.size() == size


def test_a_foreign_session_or_token_opens_nothing(client: TestClient, team: Workspace) -> None:
    closed = [one for one in routes_of(team) if not one.is_open]
    for one in closed:
        wanted = 401 if one.path.startswith(API) else 303
        client.cookies.clear()
        client.cookies.set("tasuki_session", "planted-by-somebody-else-0000")
        for headers in ({}, {"authorization": "Bearer tasuki_guess"}, {"authorization": "Basic YW9pOng="}):
            assert client.request(one.method, one.path, headers=headers).status_code == wanted, one
    client.cookies.clear()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "[::ffff:8.8.8.8]"])
def test_another_hosts_name_is_not_answered_and_never_repeated(
    client: TestClient, aoi: dict[str, str], host: str
) -> None:
    for path in ("/", "/sign-in", f"{API}/ideas"):
        answer = client.get(path, headers={**aoi, "host": host})
        assert answer.status_code == 400
        assert "location" not in answer.headers


@pytest.mark.parametrize("name", ["x-forwarded-host", "x-host", "forwarded", "x-original-url", "x-forwarded-prefix"])
def test_what_a_visitor_forwards_changes_no_address(client: TestClient, team: Workspace, name: str) -> None:
    mark = signed_in(team, client, "aoi")
    headers = {name: "host=evil.example" if name == "forwarded" else "evil.example"}
    assert "evil.example" not in client.get("/", headers=headers).text
    invited = client.post("/accounts/ren/invite", data={"_mark": mark}, headers=headers)
    assert invited.status_code == 200
    assert "evil.example" not in invited.text
    over_rest = client.post(f"{API}/members/ren/invitation", headers={**headers, "x-tasuki-mark": mark})
    assert over_rest.json()["link"].startswith("http://127.0.0.1/welcome/")


@pytest.mark.parametrize(
    "path",
    [
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "....//....//etc/passwd",
        "..\\..\\etc\\passwd",
        "/etc/passwd",
        "tasuki.css/../../app.py",
        "tasuki.css%00.png",
        "%252e%252e%252fetc%252fpasswd",
        "file:///etc/passwd",
    ],
)
def test_no_path_leads_out_of_what_is_served(client: TestClient, aoi: dict[str, str], path: str) -> None:
    places = ["/assets/", "/ideas/idea-1/evidence/", "/ideas/", f"{API}/ideas/", f"{API}/models/", f"{API}/cases/"]
    for place in places:
        answer = client.get(f"{place}{path}", headers=aoi)
        assert answer.status_code in (303, 400, 404), f"{place}{path} is {answer.status_code}"
        assert "root:" not in answer.text
    model = client.get(f"{API}/models/ctr", params={"version": path}, headers=aoi)
    assert model.status_code in (400, 404)
    assert "root:" not in model.text
    mark = client.post(f"{API}/models/{path.replace('/', '%2f')}/publish", json={"version": path}, headers=aoi)
    assert mark.status_code in (400, 403, 404, 405)


def test_no_text_becomes_a_header(client: TestClient, team: Workspace) -> None:
    signed_in(team, client, "aoi")
    for wanted in ("/\r\nSet-Cookie: x=y", "/%0d%0aSet-Cookie: x=y", "/a\nLocation: //evil.example"):
        for path in ("/sign-in", "/?lang=en", "/my-work", "/ideas/x"):
            answer = client.get(path, params={"next": wanted, "lang": wanted, "member": wanted, "q": wanted})
            assert "x=y" not in answer.headers.get("set-cookie", "")
            assert "evil" not in answer.headers.get("location", "")


def test_cookies_that_let_people_in_are_closed_to_scripts(tmp_path: Path) -> None:
    with guarded(tmp_path, public_url="https://127.0.0.1") as encrypted, visiting(encrypted) as client:
        link = accounts.invite(encrypted, "ren", actor="aoi")
        shown = client.get(f"/welcome/{link}")
        assert shown.headers["strict-transport-security"].startswith("max-age=")
        assert client.get("/no-such-page").headers["strict-transport-security"]
        for cookie in shown.headers.get_list("set-cookie"):
            assert {"HttpOnly", "Secure", "Path=/"} <= set(cookie.split("; ")), cookie
            assert re.search("SameSite=(lax|strict)", cookie)
            assert cookie.startswith("__Host-tasuki_"), "a neighbouring host name could plant it"
            assert "domain=" not in cookie.lower()


def test_over_https_only_the_cookies_that_nobody_else_can_plant_are_believed(tmp_path: Path) -> None:
    with guarded(tmp_path, public_url="https://127.0.0.1") as encrypted, visiting(encrypted) as client:
        signed_in(encrypted, client, "aoi")  # under the name that a neighbour's page could write
        assert client.get("/account").status_code == 303
        client.cookies.set("__Host-tasuki_session", client.cookies["tasuki_session"])
        shown = client.get("/account")
        assert shown.status_code == 200
        mark = re.search(r'name="_mark" value="([0-9a-f]{64})"', shown.text)[1]  # type: ignore[index]
        (gone,) = client.post("/sign-out", data={"_mark": mark}).headers.get_list("set-cookie")
        assert {"Secure", "Path=/", "Max-Age=0"} <= set(gone.split("; ")), "browsers forget it only with all of these"
        assert gone.startswith("__Host-tasuki_session=")


def test_guessing_by_forged_addresses_is_still_one_address(tmp_path: Path, cheap_hashes: None) -> None:
    with guarded(tmp_path) as workspace, visiting(workspace) as client:
        statuses = [try_password(client, f"name-{n}", {"x-forwarded-for": f"10.0.0.{n}"}) for n in range(22)]
    assert statuses == [403] * 20 + [429] * 2


def test_behind_the_teams_proxy_each_visitor_is_counted_alone(tmp_path: Path, cheap_hashes: None) -> None:
    with guarded(tmp_path, trusted_proxies=("127.0.0.1",)) as workspace:
        app = create_app(workspace)

        async def behind_proxy(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "client": ("127.0.0.1", 5000)}, receive, send)

        with TestClient(behind_proxy, base_url="http://127.0.0.1") as client:
            each = [try_password(client, f"name-{n}", {"x-forwarded-for": f"192.0.2.{n}"}) for n in range(22)]
            forged = {"x-forwarded-for": "6.6.6.6, 192.0.2.250"}  # the proxy adds whom it heard from
            one = [try_password(client, f"other-{n}", forged | {"x-real-ip": f"7.7.7.{n}"}) for n in range(21)]
    assert each == [403] * 22
    assert one == [403] * 20 + [429]


def test_an_outsiders_guesses_lock_nobody_out_but_the_outsider(tmp_path: Path, cheap_hashes: None) -> None:
    with guarded(tmp_path) as workspace:
        account_story.store_of(workspace).save(Account("ren", password_hash=passwords.hasher().hash(PASSWORD)))
        for n in range(5):
            with pytest.raises(sign_in.WrongPassword):
                sign_in.sign_in(workspace, "ren", f"wrong wrong wrong {n}", "192.0.2.66")
        with pytest.raises(sign_in.TooManyTries):
            sign_in.sign_in(workspace, "ren", PASSWORD, "192.0.2.66")
        assert sign_in.sign_in(workspace, "ren", PASSWORD, "198.51.100.7")
        with pytest.raises(sign_in.TooManyTries):
            sign_in.sign_in(workspace, "ren", PASSWORD, "192.0.2.66")  # ren's success is none of the outsider's


@pytest.mark.parametrize(
    "name", ["ren from 198.51.100.7", "198.51.100.7|ren", "from 198.51.100.7|ren", "ren from its own page"]
)
def test_a_name_that_reads_as_somebodys_place_locks_nobody_out(tmp_path: Path, cheap_hashes: None, name: str) -> None:
    with guarded(tmp_path) as workspace:
        account_story.store_of(workspace).save(Account("ren", password_hash=passwords.hasher().hash(PASSWORD)))
        for n in range(20):
            with pytest.raises(sign_in.WrongPassword if n < 5 else sign_in.TooManyTries):
                sign_in.sign_in(workspace, name, "wrong wrong wrong", "192.0.2.66")
        assert sign_in.sign_in(workspace, "ren", PASSWORD, "198.51.100.7")
        assert sign_in.change_password(workspace, "ren", old=PASSWORD, new="another long sentence")


def test_guesses_from_many_addresses_are_stopped_too(tmp_path: Path, cheap_hashes: None) -> None:
    with guarded(tmp_path) as workspace:
        for n in range(ANYWHERE_LIMIT.failures):
            with pytest.raises(sign_in.WrongPassword):
                sign_in.sign_in(workspace, "ren", f"wrong wrong wrong {n}", f"192.0.2.{n}")
        with pytest.raises(sign_in.TooManyTries):
            sign_in.sign_in(workspace, "ren", "wrong wrong wrong", "198.51.100.7")
        with pytest.raises(sign_in.WrongPassword):
            sign_in.sign_in(workspace, "nobody", "wrong wrong wrong", "198.51.100.7")


def test_wrong_present_passwords_stop_their_own_page_and_not_the_sign_in(tmp_path: Path, cheap_hashes: None) -> None:
    with guarded(tmp_path) as workspace:
        account_story.store_of(workspace).save(Account("ren", password_hash=passwords.hasher().hash(PASSWORD)))
        for _ in range(5):
            with pytest.raises(sign_in.WrongPassword):
                sign_in.change_password(workspace, "ren", old="wrong wrong wrong", new="another long sentence")
        with pytest.raises(sign_in.TooManyTries):
            sign_in.change_password(workspace, "ren", old=PASSWORD, new="another long sentence")
        assert sign_in.sign_in(workspace, "ren", PASSWORD, "198.51.100.7")


def try_password(client: TestClient, name: str, headers: dict[str, str]) -> int:
    mark = re.search(r'name="_mark" value="([0-9a-f]{64})"', client.get("/sign-in").text)[1]  # type: ignore[index]
    form = {"_mark": mark, "name": name, "password": "wrong wrong wrong"}
    return client.post("/sign-in", data=form, headers=headers).status_code


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    from argon2 import PasswordHasher

    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", lambda: cheap)
    passwords.nobodys_hash.cache_clear()


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "found"),
    [
        ("192.0.2.7", "198.51.100.1", (), "192.0.2.7"),
        ("127.0.0.1", "198.51.100.1", ("127.0.0.1",), "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1", ("127.0.0.1",), "198.51.100.1"),
        ("10.0.0.2", "198.51.100.1, 10.0.0.3", ("10.0.0.0/8",), "198.51.100.1"),
        ("192.0.2.7", "198.51.100.1", ("10.0.0.0/8",), "192.0.2.7"),
        ("127.0.0.1", "", ("127.0.0.1",), "127.0.0.1"),
        ("127.0.0.1", "nonsense, 'x'", ("127.0.0.1",), "127.0.0.1"),
        ("127.0.0.1", "10.0.0.9, nonsense", ("127.0.0.1",), "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", (), "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "", (), "192.0.2.7"),
        ("testclient", "198.51.100.1", ("127.0.0.1",), "testclient"),
    ],
)
def test_only_the_teams_proxies_say_where_a_request_comes_from(
    peer: str, forwarded: str, trusted: tuple[str, ...], found: str
) -> None:
    assert client_address(peer, forwarded, trusted) == found


def test_an_unknown_name_takes_as_long_as_a_wrong_password(tmp_path: Path) -> None:
    passwords.nobodys_hash.cache_clear()
    with guarded(tmp_path) as workspace:
        account_story.store_of(workspace).save(Account("ren", password_hash=passwords.hasher().hash(PASSWORD)))
        passwords.nobodys_hash()
        took: dict[str, list[float]] = {"ren": [], "nobody": []}
        for n in range(4):
            for name, times in took.items():
                began = time.perf_counter()
                with pytest.raises(sign_in.WrongPassword):
                    sign_in.sign_in(workspace, name, f"wrong wrong wrong {n}", "127.0.0.1")
                times.append(time.perf_counter() - began)
        known, unknown = (statistics.median(times) for times in took.values())
    assert 1 / 3 < known / unknown < 3


def test_secrets_are_in_no_log_no_answer_no_ledger_and_no_backup(
    tmp_path: Path, cheap_hashes: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with guarded(tmp_path) as workspace, visiting(workspace) as client:
        link = accounts.invite(workspace, "ren", actor="aoi")
        session = sign_in.accept_invitation(workspace, link, PASSWORD)
        token, _ = tokens.make_token(workspace, "ren", tokens.TokenWish("mine", ["read"]), actor="ren")
        bearer = {"authorization": f"Bearer {token}"}
        client.cookies.set("tasuki_session", session)
        told = [
            client.get(path, headers=headers).text
            for path in ("/account", "/accounts", f"{API}/no-such", f"{API}/ideas/none", "/welcome/x", f"{API}/tokens")
            for headers in ({}, bearer)
        ]
        write_backup(workspace.ledger, tmp_path / "backup.jsonl", NOW)
        kept = b"".join(one.read_bytes() for one in tmp_path.glob("ledger.db*"))
    backup = (tmp_path / "backup.jsonl").read_bytes()
    for secret in (PASSWORD, link, session, token):
        assert secret not in caplog.text
        assert not any(secret in one for one in told)
        assert secret.encode() not in kept
        assert secret.encode() not in backup


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"[" * 200_000),
        ("application/json", b'{"a":' * 100_000),
        ("application/json", b'{"title": "' + b"x" * 3_000_000 + b'"}'),
        ("application/json", b'{"title": "\\ud800"}'),
        ("application/json", b"{" + b",".join(b'"k%d": 1' % n for n in range(50_000)) + b"}"),
        ("application/json; charset=utf-7", b"+AHsAfQ-"),
        ("application/x-www-form-urlencoded", b"&".join(b"f%d=x" % n for n in range(50_000))),
        ("application/x-www-form-urlencoded", b"title=" + b"%F0%28%8C%28" * 10_000),
        ("multipart/form-data; boundary=x", b"--x\r\n" * 50_000),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"y" * 3_000_000,
        ),
        ("multipart/form-data", b"no boundary"),
        ("application/xml", b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"),
    ],
)
def test_no_body_breaks_the_server(client: TestClient, team: Workspace, kind: str, body: bytes) -> None:
    mark = signed_in(team, client, "aoi")
    headers = {"content-type": kind, "x-tasuki-mark": mark}
    for path in (f"{API}/ideas", "/new-idea", f"{API}/calculations/assign", f"{API}/ideas/idea-2/evidence"):
        answer = client.post(path, content=body, headers=headers)
        assert answer.status_code < 500, f"{path}: {answer.status_code}"
        assert "root:" not in answer.text

    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 65_536 for _ in range(48))

    endless = client.post(f"{API}/ideas", content=pieces(), headers=headers)  # without a length
    assert endless.status_code in (400, 413)


def test_one_member_reads_so_many_streams_and_everybody_so_many(client: TestClient, aoi: dict[str, str]) -> None:
    streams: Streams = client.app.state.streams
    assert len(streams) == 0
    assert client.get(f"{API}/events?once=true&after=0", headers=aoi).status_code == 200
    assert len(streams) == 0
    held = [streams.opened("aoi") for _ in range(PER_MEMBER)]
    for one in held:
        one.__enter__()
    refused = client.get(f"{API}/events?once=true&after=0", headers=aoi)
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    for one in held:
        one.__exit__(None, None, None)
    assert client.get(f"{API}/events?once=true&after=0", headers=aoi).status_code == 200
    crowd = Streams()
    many = [crowd.opened(f"member-{n}") for n in range(AT_ONCE)]
    for one in many:
        one.__enter__()
    with pytest.raises(TooManyStreams):
        crowd.require_room("one more")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//evil", "ftp://x"]
)
def test_a_link_in_evidence_leads_to_the_web_or_is_refused(client: TestClient, aoi: dict[str, str], url: str) -> None:
    body = {"kind": "external_link", "record": {"title": "run", "url": url, "tool": "MLflow", "summary": "s"}}
    answer = client.post(f"{API}/ideas/idea-2/evidence", json=body, headers=aoi)
    assert answer.status_code == 400
    assert "url" in answer.text
