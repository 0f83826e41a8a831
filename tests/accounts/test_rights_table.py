"""The table of rights, and what a visitor may ask for."""

import pytest

from tasuki.accounts.account import password_faults
from tasuki.accounts.rights import SCOPES, VERBS, Scope
from tasuki.accounts.secret import form_mark, is_form_mark
from tasuki.accounts.visitor import Visitor, may, require
from tasuki.errors import NotAllowed


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_may_what_its_scope_covers_and_nothing_else(verb: str, scope: Scope) -> None:
    visitor = Visitor("aoi", "token", (scope,), is_administrator=True)
    assert may(visitor, verb) == (VERBS[verb].scope == scope)
    if not may(visitor, verb):
        with pytest.raises(NotAllowed, match="scope"):
            require(visitor, verb)


@pytest.mark.parametrize("verb", [name for name, one in VERBS.items() if one.who == "administrator"])
def test_only_administrators_touch_accounts(verb: str) -> None:
    with pytest.raises(NotAllowed, match="may not"):
        require(Visitor("aoi", "session"), verb)
    require(Visitor("aoi", "session", is_administrator=True), verb)


def test_a_form_of_another_session_is_recognised() -> None:
    assert is_form_mark(form_mark("mine"), "mine")
    assert not is_form_mark(form_mark("mine"), "yours")
    assert not is_form_mark("", "mine")
    assert not is_form_mark("é", "mine")


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaaaaaaaaaa", "tanaka-taro-1", "x" * 257])
def test_a_weak_password_is_told_why(password: str) -> None:
    assert password_faults(password, "tanaka-taro-1")


def test_a_sentence_is_a_password() -> None:
    assert password_faults("牛乳を忘れずに買って帰る", "aoi") == []
