"""Sign-in by an identity provider, against a real one over HTTP; and every answer of it that is not to be believed."""

import base64
import hmac
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from identity_provider import CLIENT, IdentityProvider, identity_provider, key_of
from joserfc import jwt
from litestar.testing import TestClient
from plain_workspace import workspace_of

from tasuki.accounts.account import Account
from tasuki.accounts.door import Door, Provider
from tasuki.accounts.throttle import ADDRESS_LIMIT
from tasuki.actions import account_story, accounts
from tasuki.actions.members import add_member
from tasuki.actions.vouching import member_of
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.errors import Fault
from tasuki.settings.door import read_door
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app

START, BACK = "/sign-in/provider", "/sign-in/provider/return"


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock(datetime(2026, 11, 24, 9, tzinfo=UTC))


@pytest.fixture(scope="module")
def running(clock: MovableClock) -> Iterator[IdentityProvider]:
    with identity_provider(lambda: clock().timestamp()) as one:
        yield one


@pytest.fixture
def provider(running: IdentityProvider) -> Iterator[IdentityProvider]:
    """The provider, as it was before whatever a test did to it."""
    before = vars(replace(running))
    yield running
    vars(running).update(before)


@pytest.fixture(scope="module")
def opened(
    tmp_path_factory: pytest.TempPathFactory, clock: MovableClock, running: IdentityProvider
) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("vouched")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", clock)
    known = Provider(running.issuer, CLIENT, title="社内 ID")
    workspace = replace(workspace_of(ledger, folder), clock=clock, door=Door("on", provider=known), language="en")
    for name in ("aoi", "ren", "mio"):
        add_member(workspace, name, actor="aoi", roles=["analyst"], language="en")
    yield workspace
    workspace.close()


@pytest.fixture
def team(opened: Workspace, provider: IdentityProvider) -> Workspace:
    """Aoi is an administrator, ren was invited, mio never was; nobody has come in by the provider yet."""
    account_story.store_of(opened).save(Account("aoi", is_administrator=True))
    account_story.store_of(opened).save(Account("ren"))
    account_story.store_of(opened).forget_failures("address:testclient")
    return opened


def visiting(workspace: Workspace) -> TestClient:
    client = TestClient(create_app(workspace), base_url="http://127.0.0.1", raise_server_exceptions=False)
    client.follow_redirects = False
    return client


@pytest.fixture(scope="module")
def served(opened: Workspace) -> Iterator[TestClient]:
    with visiting(opened) as one:
        yield one


@pytest.fixture
def client(served: TestClient, team: Workspace) -> TestClient:
    served.cookies.clear()
    return served


def go_to_provider(client: TestClient, onward: str = "/cases") -> str:
    """The address with which the provider sends the browser back, without the site."""
    asked = client.get(START, params={"next": onward})
    assert asked.status_code == 303
    sent_back = httpx.get(asked.headers["location"]).headers["location"]
    assert sent_back.startswith(f"http://127.0.0.1{BACK}?")
    return sent_back.removeprefix("http://127.0.0.1")


def come_back(client: TestClient, **options: Any) -> httpx.Response:
    return client.get(go_to_provider(client, **options))


def is_out(client: TestClient) -> bool:
    return client.get("/account").status_code == 303


def test_a_member_comes_in_and_goes_on_to_where_they_were(client: TestClient, team: Workspace) -> None:
    assert f'href="{START}?next=%2Fcases"' in client.get("/sign-in?next=/cases").text
    answer = come_back(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/cases")
    assert "ren" in client.get("/account").text
    account = account_story.store_of(team).account("ren")
    assert account is not None
    assert account.subject is not None
    assert account.subject.endswith("|248289761001")


def test_the_subject_decides_once_it_is_linked(client: TestClient, team: Workspace, provider: IdentityProvider) -> None:
    come_back(client)
    provider.claims = {"sub": "248289761001", "preferred_username": "renamed"}
    with visiting(team) as again:
        assert come_back(again).status_code == 303
        assert "ren" in again.get("/account").text
    provider.claims = {"sub": "somebody-else", "preferred_username": "ren"}
    with visiting(team) as other:
        assert come_back(other).status_code == 403
        assert is_out(other)


@pytest.mark.parametrize("name", ["mio", "nobody", "", "REN", None, 5, ["ren"]])
def test_somebody_without_an_account_is_told_what_to_do(
    client: TestClient, provider: IdentityProvider, name: object
) -> None:
    provider.claims = {"sub": "1", "preferred_username": name}
    answer = come_back(client)
    assert answer.status_code == 403
    assert "Ask an administrator to invite you" in answer.text
    assert is_out(client)


def test_a_disabled_account_stays_out(client: TestClient, team: Workspace) -> None:
    accounts.change_access(team, "ren", disabled=True, actor="aoi")
    answer = come_back(client)
    assert answer.status_code == 403
    assert "Your account is disabled" in answer.text
    accounts.change_access(team, "ren", disabled=False, actor="aoi")
    assert come_back(client).status_code == 303
    accounts.change_access(team, "ren", disabled=True, actor="aoi")
    with visiting(team) as again:
        assert come_back(again).status_code == 403


def test_an_answer_for_another_browser_is_refused(client: TestClient, team: Workspace) -> None:
    mine = go_to_provider(client)
    with visiting(team) as victim:
        assert victim.get(mine).status_code == 403  # has never asked
        go_to_provider(victim)
        assert victim.get(mine).status_code == 403  # asked, with another state
        assert is_out(victim)


def test_a_code_works_once(client: TestClient) -> None:
    back = go_to_provider(client)
    cookie = client.cookies["tasuki_provider"]
    assert client.get(back).status_code == 303
    client.cookies.clear()
    client.cookies.set("tasuki_provider", cookie)
    assert client.get(back).status_code == 403
    assert is_out(client)


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def unsigned(claims: dict[str, Any], algorithm: str = "none") -> str:
    parts = (json.dumps(one).encode() for one in ({"alg": algorithm, "kid": "one"}, claims))
    return ".".join(encoded(one) for one in parts) + "."


def by_shared_secret(claims: dict[str, Any], secret: bytes) -> str:
    """Signed with the provider's public key as if it were a secret that both share."""
    said = unsigned(claims, "HS256")
    return said + encoded(hmac.digest(secret, said.removesuffix(".").encode(), "sha256"))


WRONG_CLAIMS = {
    "nonce": {"nonce": "another"},
    "audience": {"aud": "another-program"},
    "several audiences": {"aud": [CLIENT, "another-program"]},
    "authorized party": {"azp": "another-program"},
    "issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1_700_000_000},
    "issued later": {"iat": 4_000_000_000, "exp": 4_000_000_300},
    "no subject": {"sub": ""},
    "subject is no text": {"sub": 5},
}


@pytest.mark.parametrize("wrong", WRONG_CLAIMS)
def test_a_token_with_wrong_claims_is_not_believed(client: TestClient, provider: IdentityProvider, wrong: str) -> None:
    provider.change = lambda claims: claims | WRONG_CLAIMS[wrong]
    assert come_back(client).status_code == 403
    assert is_out(client)


@pytest.mark.parametrize("missing", ["nonce", "aud", "iss", "exp", "iat", "sub"])
def test_a_token_without_a_claim_is_not_believed(client: TestClient, provider: IdentityProvider, missing: str) -> None:
    provider.change = lambda claims: {name: value for name, value in claims.items() if name != missing}
    assert come_back(client).status_code == 403
    assert is_out(client)


@pytest.mark.parametrize("how", ["none", "other key", "shared secret", "garbage", "cut"])
def test_a_token_that_the_provider_did_not_sign_is_not_believed(
    client: TestClient, provider: IdentityProvider, how: str
) -> None:
    other = key_of("somebody else")
    provider.sign = {
        "none": unsigned,
        "other key": lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, other),
        "shared secret": lambda claims: by_shared_secret(claims, provider.key.as_pem(private=False)),
        "garbage": lambda claims: "not.a.token",
        "cut": lambda claims: provider.signed(claims)[:-10],
    }[how]
    assert come_back(client).status_code == 403
    assert is_out(client)


def test_a_new_key_of_the_provider_is_found(
    client: TestClient, provider: IdentityProvider, clock: MovableClock
) -> None:
    assert come_back(client).status_code == 303
    provider.key = key_of("provider", "two")
    clock.advance(minutes=2)
    assert come_back(client).status_code == 303
    clock.advance(hours=2)


def test_a_refusal_at_the_provider_leads_back_to_the_sign_in(client: TestClient, provider: IdentityProvider) -> None:
    state = httpx.URL(go_to_provider(client)).params["state"]
    answer = client.get(BACK, params={"error": "access_denied", "state": state})
    assert answer.status_code == 403
    assert 'action="/sign-in"' in answer.text
    assert client.get(BACK, params={"code": "x", "state": state, "iss": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize(("language", "words"), [("en", "does not answer"), ("ja", "応答がありません")])
def test_a_provider_that_is_down_is_said_in_the_readers_language(team: Workspace, language: str, words: str) -> None:
    with visiting(replace(team, door=Door("on", provider=Provider("http://127.0.0.1:9", CLIENT)))) as client:
        answer = client.get(START, headers={"accept-language": language})
        assert answer.status_code == 503
        assert words in answer.text
        assert 'name="password"' in answer.text


def test_a_provider_that_goes_down_meanwhile_is_unavailable(team: Workspace, clock: MovableClock) -> None:
    with identity_provider(lambda: clock().timestamp()) as other:
        door = Door("on", provider=Provider(other.issuer, CLIENT))
        client = visiting(replace(team, door=door))
        back = go_to_provider(client)
    assert client.get(back).status_code == 503
    assert is_out(client)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": 5},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_description_that_leads_elsewhere_is_not_followed(
    team: Workspace, provider: IdentityProvider, wrong: dict[str, object]
) -> None:
    provider.discovery = wrong
    assert visiting(team).get(START).status_code == 503


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_way_back_never_leads_to_another_site(client: TestClient, onward: str) -> None:
    assert come_back(client, onward=onward).headers["location"] == "/"
    back = go_to_provider(client)
    secret = client.cookies["tasuki_provider"].partition("|")[0].strip('"')
    client.cookies.clear()
    client.cookies.set("tasuki_provider", f"{secret}|{onward}")
    assert client.get(back).headers["location"] == "/"


def test_the_clients_secret_is_sent_and_never_logged(
    team: Workspace, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.secret = "zX9-very-secret"
    known = Provider(provider.issuer, CLIENT, secret_variable="TASUKI_TEST_PROVIDER_SECRET")
    with visiting(replace(team, door=Door("on", provider=known))) as client:
        assert client.get(START).status_code == 503  # the variable is not set
        monkeypatch.setenv("TASUKI_TEST_PROVIDER_SECRET", provider.secret)
        assert come_back(client).status_code == 303
        monkeypatch.setenv("TASUKI_TEST_PROVIDER_SECRET", "wrong-secret")
        refused = come_back(client)
        assert refused.status_code == 403
    for secret in (provider.secret, "wrong-secret", provider.token_requests[-1]["code_verifier"]):
        assert secret not in caplog.text
        assert secret not in refused.text


def test_cookies_on_the_way_are_closed_to_scripts_and_to_plain_connections(team: Workspace) -> None:
    door = replace(team.door, public_url="https://127.0.0.1")
    with visiting(replace(team, door=door)) as client:
        asked = client.get(START)
        assert {"HttpOnly", "Secure", "SameSite=lax"} <= set(asked.headers["set-cookie"].split("; "))
        assert "__Secure-tasuki_provider=" in asked.headers["set-cookie"]
        assert "redirect_uri=https%3A%2F%2F127.0.0.1%2Fsign-in%2Fprovider%2Freturn" in asked.headers["location"]


def test_answers_that_are_not_believed_count_as_failed_sign_ins_of_the_address(
    client: TestClient, team: Workspace, provider: IdentityProvider
) -> None:
    for _ in range(ADDRESS_LIMIT.failures):
        assert client.get(BACK, params={"code": "guessed", "state": "guessed"}).status_code == 403
    asked_before = len(provider.token_requests)
    stopped = client.get(BACK, params={"code": "guessed", "state": "guessed"})
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 0
    assert come_back(client).status_code == 429
    assert len(provider.token_requests) == asked_before, "the provider is not asked for those who must wait"
    account_story.store_of(team).forget_failures("address:testclient")
    for _ in range(ADDRESS_LIMIT.failures + 1):
        assert come_back(client).status_code == 303, "who comes in counts nothing"


def test_without_a_provider_there_is_no_such_sign_in(team: Workspace) -> None:
    with visiting(replace(team, door=Door("on"))) as client:
        assert client.get(START).status_code == 404
        assert client.get(BACK).status_code == 404


@pytest.mark.parametrize(
    ("claims", "member"),
    [
        ({"email": "ren@tasuki.example", "email_verified": True}, "ren"),
        ({"email": "ren@TASUKI.example", "email_verified": True}, "ren"),
        ({"email": "ren@tasuki.example", "email_verified": False}, ""),
        ({"email": "ren@tasuki.example", "email_verified": "true"}, ""),
        ({"email": "ren@tasuki.example"}, ""),
        ({"email": "ren@evil.example", "email_verified": True}, ""),
        ({"email": "ren@evil.example@tasuki.example", "email_verified": True}, "ren@evil.example"),
        ({"email": "ren", "email_verified": True}, ""),
        ({}, ""),
    ],
)
def test_an_address_counts_when_it_is_verified_and_the_teams_own(claims: dict[str, object], member: str) -> None:
    known = Provider("https://id.example", CLIENT, member_claim="email", email_domain="tasuki.example")
    assert member_of(claims, known) == member


def test_settings_say_whose_addresses_count_and_which_proxies_are_the_teams() -> None:
    faults: list[Fault] = []
    known = {"issuer": "https://id.example", "client_id": "x", "member_claim": "email"}
    read_door({"provider": known, "trusted_proxies": ["10.0.0.0/8", "nonsense", 5]}, faults)
    assert sorted(one.what for one in faults) == [
        "email_domain is missing",
        "trusted_proxies has 'nonsense'",
        "trusted_proxies has 5",
    ]
    faults.clear()
    door = read_door({"provider": known | {"email_domain": "tasuki.example"}, "trusted_proxies": ["::1"]}, faults)
    assert not faults
    assert door.trusted_proxies == ("::1",)
