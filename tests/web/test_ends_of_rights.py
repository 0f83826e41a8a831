"""When a right ends, all that was opened with it ends: event streams on busy and on quiet days, links, guesses."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from browsing import serving
from guarded_team import API, guarded, signed_in, visiting
from told_ideas import NOW

from tasuki.accounts.account import Account
from tasuki.accounts.secret import secret_hash
from tasuki.actions import account_story, accounts, passwords, relay, sign_in, tokens
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.errors import Missing, NotAllowed, Refused

PASSWORD = "milk and bread, every day"
SOON_S = 6.0
"""A stream asks once a second; the rest is for a busy machine."""


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", lambda: cheap)
    passwords.nobodys_hash.cache_clear()


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOW)


@pytest.fixture
def team(tmp_path: Path, clock: MovableClock) -> Iterator[Workspace]:
    with guarded(tmp_path) as workspace:
        yield replace(workspace, clock=clock)


class Stream:
    """A reader of the event stream, until it ends."""

    def __init__(self, site: str, **how: dict[str, str]) -> None:
        self.heard = threading.Event()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._read, args=(f"{site}{API}/events?after=0", how), daemon=True)
        self.thread.start()
        assert self.heard.wait(20), "the stream said nothing"

    def _read(self, address: str, how: dict[str, dict[str, str]]) -> None:
        # A stream that is cut off when the server stops has not ended by itself.
        with suppress(httpx.TransportError), httpx.stream("GET", address, timeout=30, **how) as answer:  # type: ignore[arg-type]
            for _ in answer.iter_lines():
                self.heard.set()
            self.ended.set()


Ending = Callable[[Workspace, MovableClock, str, str], None]
ENDINGS: dict[str, Ending] = {
    "the token is revoked": lambda team, _clock, token, _session: tokens.revoke_token(team, token, actor="ren"),
    "the token ends": lambda _team, clock, _token, _session: clock.advance(days=3),
    "the account is disabled": lambda team, _clock, _token, _session: accounts.change_access(
        team, "ren", disabled=True, actor="aoi"
    ),
}


@pytest.mark.parametrize(("ending", "busy"), [*((one, False) for one in ENDINGS), ("the token is revoked", True)])
def test_a_stream_of_a_token_ends_soon_after_its_right(
    team: Workspace, clock: MovableClock, ending: str, busy: bool
) -> None:
    account_story.store_of(team).save(Account("mio"))
    secret, token = tokens.make_token(team, "ren", tokens.TokenWish("board", ["read"], days=2), actor="ren")
    other, _ = tokens.make_token(team, "mio", tokens.TokenWish("board", ["read"], days=9), actor="aoi")
    with serving(team) as site:
        stream = Stream(site, headers={"authorization": f"Bearer {secret}"})
        beside = Stream(site, headers={"authorization": f"Bearer {other}"})
        assert not stream.ended.wait(1.2)
        ENDINGS[ending](team, clock, token.id, "")
        began = time.monotonic()
        while busy and not stream.ended.is_set() and time.monotonic() - began < SOON_S:
            relay.comment(team, "idea-2", actor="aoi", text="a busy day")
        assert stream.ended.wait(SOON_S), "the stream still reads"
        assert not beside.ended.is_set()
        accounts.change_access(team, "mio", disabled=True, actor="aoi")
        assert beside.ended.wait(SOON_S)


def test_a_stream_of_a_browser_ends_with_its_session_and_keeps_none_alive(team: Workspace, clock: MovableClock) -> None:
    with visiting(team) as browser:
        signed_in(team, browser, "ren")
        session = browser.cookies["tasuki_session"]
    with serving(team) as site:
        stream = Stream(site, cookies={"tasuki_session": session})
        clock.advance(hours=30)
        assert not stream.ended.wait(2.5)
        kept = account_story.store_of(team).session(secret_hash(session))
        assert kept is not None
        assert kept.seen_at == NOW, "a board that only stays open is no use of the session"
        clock.advance(days=7)
        assert stream.ended.wait(SOON_S)
        assert account_story.store_of(team).session(secret_hash(session)) is None


@pytest.mark.parametrize("scopes", [["relay"], ["run"], ["relay", "run"]])
def test_a_token_that_may_not_read_follows_no_stream(team: Workspace, scopes: list[str]) -> None:
    secret, _ = tokens.make_token(team, "ren", tokens.TokenWish("writer", scopes), actor="ren")
    with visiting(team) as client:
        answer = client.get(f"{API}/events?once=true", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 403
    assert "scope read" in answer.json()["rule"]


def test_many_guesses_at_one_moment_are_no_more_than_one_after_the_other(team: Workspace) -> None:
    account_story.store_of(team).save(Account("ren", password_hash=passwords.hash_password(PASSWORD)))

    def guess(n: int) -> str:
        try:
            sign_in.sign_in(team, "ren", f"wrong wrong wrong {n}", "198.51.100.7")
        except (sign_in.WrongPassword, sign_in.TooManyTries) as error:
            return type(error).__name__
        return "in"

    with ThreadPoolExecutor(16) as crowd:
        found = sorted(crowd.map(guess, range(32)))
    assert found == ["TooManyTries"] * 27 + ["WrongPassword"] * 5


def test_a_found_browser_is_no_place_to_guess_the_password(team: Workspace) -> None:
    account_story.store_of(team).save(Account("ren", password_hash=passwords.hash_password(PASSWORD)))
    with visiting(team) as client:
        mark = signed_in(team, client, "ren")
        form = {"_mark": mark, "old": "wrong wrong wrong", "new": "another long sentence"}
        statuses = [client.post("/account/password", data=form).status_code for _ in range(7)]
        stopped = client.post("/account/password", data=form | {"old": PASSWORD})
    assert statuses == [400] * 5 + [429] * 2
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) > 0
    assert sign_in.sign_in(team, "ren", PASSWORD, "198.51.100.7"), "whose account it is comes in from their own place"


def test_the_first_link_is_void_once_there_is_an_administrator(tmp_path: Path) -> None:
    with guarded(tmp_path) as workspace:
        store = account_story.store_of(workspace)
        store.save(Account("aoi"))
        link = accounts.first_link(workspace)
        assert link is not None
        accounts.change_access(workspace, "aoi", administrator=True, actor="aoi")
        with pytest.raises(Missing):
            sign_in.accept_invitation(workspace, link, PASSWORD, sign_in.NewMember("aoi", ("analyst",)))
        assert not store.accounts()["aoi"].password_hash


def test_an_invitation_of_a_disabled_account_is_void(team: Workspace) -> None:
    link = accounts.invite(team, "ren", actor="aoi")
    accounts.change_access(team, "ren", disabled=True, actor="aoi")
    with pytest.raises(Missing):
        sign_in.accept_invitation(team, link, PASSWORD)
    assert not account_story.store_of(team).accounts()["ren"].password_hash


def test_without_an_administrator_nobody_touches_anothers_token_from_outside(team: Workspace) -> None:
    account_story.store_of(team).save(Account("aoi"))  # no administrator any more, as before the first one
    _, hers = tokens.make_token(team, "aoi", tokens.TokenWish("hers", ["read"]), actor="aoi")
    with visiting(team) as client:
        headers = {"x-tasuki-mark": signed_in(team, client, "ren")}
        wish = {"label": "hers now", "scopes": ["read"], "member": "aoi"}
        assert client.post(f"{API}/tokens", json=wish, headers=headers).status_code == 403
        assert client.get(f"{API}/tokens?member=aoi").status_code == 403
        assert client.delete(f"{API}/tokens/{hers.id}", headers=headers).status_code == 403
        form = {"_mark": headers["x-tasuki-mark"]}
        assert client.post(f"/account/tokens/{hers.id}/revoke", data=form).status_code == 403
    assert [one.id for one in account_story.store_of(team).tokens("aoi")] == [hers.id]


def test_a_secret_is_made_once_under_a_key(team: Workspace) -> None:
    wish = tokens.TokenWish("nightly", ["read"])
    _, made = tokens.make_token(team, "ren", wish, actor="ren", key="night-1")
    with pytest.raises(Refused, match="done before"):
        tokens.make_token(team, "ren", wish, actor="ren", key="night-1")
    with pytest.raises(Refused, match="something else"):
        tokens.make_token(team, "ren", replace(wish, days=3), actor="ren", key="night-1")
    assert [one.id for one in tokens.tokens_of(team, "ren", actor="ren")] == [made.id]
    tokens.revoke_token(team, made.id, actor="ren", key="night-2")
    tokens.revoke_token(team, made.id, actor="ren", key="night-2")
    accounts.change_access(team, "ren", disabled=True, actor="aoi", key="out")
    accounts.change_access(team, "ren", disabled=False, actor="aoi", key="in")
    accounts.change_access(team, "ren", disabled=True, actor="aoi", key="out")
    assert not account_story.store_of(team).accounts()["ren"].is_disabled, "an old request sent again does nothing"
    link = accounts.invite(team, "ren", actor="aoi", key="link")
    with pytest.raises(Refused, match="done before"):
        accounts.invite(team, "ren", actor="aoi", key="link")
    assert accounts.invitation_of(team, link).member == "ren"
    with pytest.raises(NotAllowed):
        accounts.change_access(team, "ren", administrator=True, actor="ren", key="mine")
