"""Coming in by link, password or identity provider, going out, and who holds a session.

A session's secret is returned to its caller once; only its hash is kept.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from tasuki.accounts.account import SESSION_LENGTH, Account, Session, password_faults
from tasuki.accounts.rights import SCOPES
from tasuki.accounts.secret import new_secret, secret_hash
from tasuki.accounts.throttle import ACCOUNT_LIMIT, ADDRESS_LIMIT, ANYWHERE_LIMIT, Limit
from tasuki.accounts.visitor import Visitor
from tasuki.actions.account_story import store_of, tell
from tasuki.actions.accounts import invitation_of
from tasuki.actions.members import add_member
from tasuki.actions.passwords import hash_password, is_password
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Refused, Stale, TasukiError, Unavailable, said
from tasuki.store.accounts import AccountStore
from tasuki.store.head import Head


class WrongPassword(TasukiError):
    """Nobody was let in: the name or the password is wrong, and which of them is not said."""


class NotOfThisTeam(Refused):
    """An identity provider vouches for somebody who has no account here."""


class AccountDisabled(Refused):
    """The account lets nobody in."""


class TooManyTries(TasukiError):
    """Somebody must wait before the next try."""

    def __init__(self, wait: int) -> None:
        super().__init__(
            "too many sign-ins failed",
            expected=said("no try for {wait} seconds", wait=wait),
            next_step="wait, then try again",
        )
        self.wait_s = wait


@dataclass(frozen=True)
class NewMember:
    """Who the first administrator is, when the team does not know them yet."""

    name: str
    roles: tuple[str, ...]
    language: str = "ja"
    display_name: str = ""


def accept_invitation(workspace: Workspace, secret: str, password: str, newcomer: NewMember | None = None) -> str:
    """Chooses a password by a link; the secret of the session that begins.

    Args:
        workspace: The open workspace.
        secret: The link's.
        password: At least 12 characters.
        newcomer: For the first administrator: who they are.

    Raises:
        Missing: The link does not work any more.
        Invalid: The password is too weak, or the first administrator is not named.
    """
    found = invitation_of(workspace, secret)
    member = found.member or (newcomer.name if newcomer else "")
    faults = password_faults(password, member)
    if not member:
        faults.insert(0, Fault("name", "missing", "who you are: one word"))
    if faults:
        raise Invalid(said("the password was not set: {count} fault(s)", count=len(faults)), faults)
    store, hashed = store_of(workspace), hash_password(password)
    if not found.member and newcomer is not None and member not in workspace.ledger.members():
        _add(workspace, newcomer)
    if not store.take_invitation(secret_hash(secret)):
        raise Stale("somebody used this link a moment ago", next_step="sign in, or ask for a new link")
    known = store.account(member) or Account(member)
    first = found.purpose == "first_administrator"
    store.save(replace(known, password_hash=hashed, is_administrator=known.is_administrator or first))
    store.close_sessions(member)
    named = [("administrator_named", {"member": member})] if first else []
    tell(workspace, member, [("password_set", {"member": member}), *named])
    return _begin_session(workspace, store, member)


def _add(workspace: Workspace, newcomer: NewMember) -> None:
    add_member(
        workspace,
        newcomer.name,
        actor=next(iter(workspace.ledger.members()), newcomer.name),
        roles=newcomer.roles,
        language="en" if newcomer.language == "en" else "ja",
        display_name=newcomer.display_name,
    )


def sign_in(workspace: Workspace, member: str, password: str, address: str) -> str:
    """Lets a member in by password; the secret of the new session.

    Args:
        workspace: The open workspace.
        member: The account's name.
        password: As it was typed.
        address: Where the try comes from; tries are counted per account there, per account and per address.

    Raises:
        WrongPassword: Name or password is wrong; the same for an account that is unknown, disabled or without one.
        TooManyTries: Too many failed lately.
        Unavailable: Too many passwords are being tried at once.
    """
    store = store_of(workspace)
    here = _of_account(member, f" from {address}")
    limits = {here: ACCOUNT_LIMIT, _of_account(member): ANYWHERE_LIMIT, _of_address(address): ADDRESS_LIMIT}
    with _counted(workspace, limits):
        if not is_password(store.account(member), password):
            raise WrongPassword(
                "the name and the password do not go together",
                expected="the name of your account and its password",
                next_step="try again, or ask an administrator for a new link",
            )
    store.forget_failures(here)
    return _begin_session(workspace, store, member)


def _of_account(member: str, where: str = "") -> str:
    """The count of an account. The place stands before the name, which anybody may type: no name is another's count."""
    return f"account{where}|{member[:100]}"


def _of_address(address: str) -> str:
    return f"address:{address}"


@contextmanager
def _counted(workspace: Workspace, limits: Mapping[str, Limit]) -> Iterator[None]:
    """Counts a try before it is judged, so that many at the same moment are many; one that succeeds counts nothing.

    Raises:
        TooManyTries: Too many failed lately.
    """
    store, now = store_of(workspace), workspace.clock()
    wait = store.count_try(limits, now)
    if wait:
        raise TooManyTries(wait)
    try:
        yield
    except Unavailable:  # nobody has judged it
        store.uncount_try(tuple(limits), now)
        raise
    store.uncount_try(tuple(limits), now)


@contextmanager
def counted_by_address(workspace: Workspace, address: str) -> Iterator[None]:
    """Counts what fails inside as a failed sign-in of this address.

    Raises:
        TooManyTries: Too many failed lately.
    """
    with _counted(workspace, {_of_address(address): ADDRESS_LIMIT}):
        yield


def sign_in_by_subject(workspace: Workspace, subject: str, member: str) -> str:
    """Lets in a member for whom an identity provider vouches; the secret of the new session.

    Args:
        workspace: The open workspace.
        subject: `issuer|subject`, as the provider signed it.
        member: The member that the provider's claims name; used where the subject is not linked yet.

    Raises:
        NotOfThisTeam: Nobody of the team is meant, or the account is linked to somebody else.
        AccountDisabled: The account is disabled.
    """
    store = store_of(workspace)
    account = store.account_of_subject(subject)
    if account is None:
        account = store.account(member) if member in workspace.ledger.members() else None
        if account is not None and account.is_disabled:
            raise _disabled()
        if account is None or account.subject is not None:
            raise NotOfThisTeam(
                "the identity provider knows you, but this team does not",
                rule="an account is opened by an administrator's invitation before the provider can vouch for it",
                next_step="ask an administrator to invite you",
            )
        store.save(account := replace(account, subject=subject))
        tell(workspace, account.member, [("account_linked", {"member": account.member})])
    if account.is_disabled:
        raise _disabled()
    return _begin_session(workspace, store, account.member)


def _disabled() -> AccountDisabled:
    return AccountDisabled(
        "your account is disabled", rule="a disabled account lets nobody in", next_step="ask an administrator why"
    )


def sign_out(workspace: Workspace, session_secret: str) -> None:
    """Ends a session."""
    store = store_of(workspace)
    session = store.session(secret_hash(session_secret))
    if session is not None:
        store.close_session(secret_hash(session_secret))
        tell(workspace, session.member, [("signed_out", {"member": session.member})])


@dataclass(frozen=True)
class CameBack:
    """Who holds a session, and the ledger's head when that was asked."""

    visitor: Visitor
    head: Head


def come_back(workspace: Workspace, session_secret: str, *, is_use: bool = True) -> CameBack | None:
    """Who holds a session; None when it is unknown, over, or its account is disabled.

    Args:
        workspace: The open workspace.
        session_secret: From the browser's cookie.
        is_use: Whether somebody uses it now; a board that only stays open does not.
    """
    store, now, hashed = store_of(workspace), workspace.clock(), secret_hash(session_secret)
    arrival = store.arrival(hashed)
    if arrival is None:
        return None
    session, account = arrival.session, arrival.account
    if session.is_over(now) or account is None or account.is_disabled:
        store.close_session(hashed)
        return None
    if is_use and now - session.seen_at > timedelta(hours=1):
        store.touch_session(hashed, now)
    visitor = Visitor(session.member, "session", SCOPES, account.is_administrator, session.csrf)
    return CameBack(visitor, arrival.head)


def change_password(workspace: Workspace, member: str, *, old: str, new: str) -> str:
    """Changes one's own password, ends all of one's sessions, and begins a new one; its secret.

    Raises:
        WrongPassword: The old one is wrong; it counts as a failed sign-in of the account, and on its own.
        TooManyTries: Too many failed lately: whoever found an open browser must not guess the password there.
        Invalid: The new one is too weak.
    """
    store = store_of(workspace)
    account = store.account(member)
    limits = {_of_account(member, " from its own page"): ACCOUNT_LIMIT, _of_account(member): ANYWHERE_LIMIT}
    with _counted(workspace, limits):
        if account is None or not is_password(account, old):
            raise WrongPassword("the present password is wrong", expected="the password you sign in with")
    faults = password_faults(new, member)
    if faults:
        raise Invalid(said("the password was not changed: {count} fault(s)", count=len(faults)), faults)
    store.save(replace(account, password_hash=hash_password(new)))
    store.close_sessions(member)
    tell(workspace, member, [("password_set", {"member": member})])
    return _begin_session(workspace, store, member)


def _begin_session(workspace: Workspace, store: AccountStore, member: str) -> str:
    secret, now = new_secret(), workspace.clock()
    store.forget_sessions(now - SESSION_LENGTH)
    store.open_session(secret_hash(secret), Session(member, new_secret(), now, now))
    tell(workspace, member, [("signed_in", {"member": member})])
    return secret
