"""Accounts: inviting, coming in, going out, tokens. What happened is told to the ledger; secrets never are.

A secret (a link, a session's id, a token) is returned to its caller once; only its hash is kept.
"""

import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from tasuki.accounts.account import (
    FIRST_LINK_LENGTH,
    INVITATION_LENGTH,
    LONGEST_TOKEN,
    Account,
    Invitation,
    Session,
    Token,
    password_faults,
)
from tasuki.accounts.rights import SCOPES, Scope
from tasuki.accounts.secret import TOKEN_PREFIX, new_secret, secret_hash
from tasuki.accounts.throttle import ACCOUNT_LIMIT, ADDRESS_LIMIT, Limit, wait_s
from tasuki.accounts.visitor import Visitor
from tasuki.actions.members import add_member
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, NotAllowed, Refused, Stale, TasukiError
from tasuki.flow.event import ACCOUNT_STREAM, NewEvent
from tasuki.store.accounts import AccountStore

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LONGEST_LABEL = 100
_TRIES = 20


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
            "too many sign-ins failed", expected=f"no try for {wait} seconds", next_step="wait, then try again"
        )
        self.wait_s = wait


@dataclass(frozen=True)
class NewMember:
    """Who the first administrator is, when the team does not know them yet."""

    name: str
    roles: tuple[str, ...]
    language: str = "ja"
    display_name: str = ""


@cache
def hasher() -> "PasswordHasher":
    """Argon2id with the library's own costs."""
    from argon2 import PasswordHasher

    return PasswordHasher()


def store_of(workspace: Workspace) -> AccountStore:
    """The accounts beside the workspace's ledger."""
    return AccountStore(workspace.ledger.engine)


def first_link(workspace: Workspace) -> str | None:
    """A secret for the first administrator's link, once per call; None when there is an administrator already."""
    store = store_of(workspace)
    if any(one.is_administrator for one in store.accounts().values()):
        return None
    secret, now = new_secret(), workspace.clock()
    store.invite(secret_hash(secret), Invitation("", "first_administrator", now + FIRST_LINK_LENGTH))
    return secret


def invite(workspace: Workspace, member: str, *, actor: str) -> str:
    """A secret for a link with which a member chooses a password. Earlier links of theirs stop working.

    Raises:
        Missing: The team has no such member.
        Refused: The actor is no administrator, or the account is disabled.
    """
    store = store_of(workspace)
    _require_administrator(store, actor)
    _require_member(workspace, member)
    known = store.account(member)
    if known is not None and known.is_disabled:
        raise Refused(
            f"the account of {member} is disabled",
            rule="a disabled account lets nobody in",
            next_step="enable it first",
        )
    if known is None:
        store.save(Account(member))
    secret = new_secret()
    until = workspace.clock() + INVITATION_LENGTH
    store.invite(secret_hash(secret), Invitation(member, "invitation", until))
    _tell(workspace, "account_invited", actor, {"member": member})
    return secret


def invitation_of(workspace: Workspace, secret: str) -> Invitation:
    """What a link's secret stands for.

    Raises:
        Missing: It was used, replaced, or has ended.
    """
    found = store_of(workspace).invitation(secret_hash(secret))
    if found is None or found.expires_at <= workspace.clock():
        raise Missing(
            "this link does not work any more",
            expected="a link that was not used, and not replaced by a newer one",
            next_step="ask an administrator for a new one; for the first administrator, start tasuki serve again",
        )
    return found


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
        raise Invalid(f"the password was not set: {len(faults)} fault(s)", faults)
    store = store_of(workspace)
    hashed = hasher().hash(password)
    if not found.member and newcomer is not None and member not in workspace.ledger.members():
        language = "en" if newcomer.language == "en" else "ja"
        add_member(
            workspace,
            member,
            actor=next(iter(workspace.ledger.members()), member),
            roles=newcomer.roles,
            language=language,  # type: ignore[arg-type]
            display_name=newcomer.display_name,
        )
    if not store.take_invitation(secret_hash(secret)):
        raise Stale("somebody used this link a moment ago", next_step="sign in, or ask for a new link")
    known = store.account(member) or Account(member)
    first = found.purpose == "first_administrator"
    store.save(replace(known, password_hash=hashed, is_administrator=known.is_administrator or first))
    store.close_sessions(member)
    _tell(workspace, "password_set", member, {"member": member})
    if first:
        _tell(workspace, "administrator_named", member, {"member": member})
    return _begin_session(workspace, store, member)


def sign_in(workspace: Workspace, member: str, password: str, address: str) -> str:
    """Lets a member in by password; the secret of the new session.

    Args:
        workspace: The open workspace.
        member: The account's name.
        password: As it was typed.
        address: Where the try comes from; tries are counted per account and per address.

    Raises:
        WrongPassword: Name or password is wrong; the same for an account that is unknown, disabled or without one.
        TooManyTries: Too many failed lately.
    """
    store, now = store_of(workspace), workspace.clock()
    counted: tuple[tuple[str, Limit], ...] = (
        (f"account:{member[:100]}", ACCOUNT_LIMIT),
        (f"address:{address}", ADDRESS_LIMIT),
    )
    wait = max(wait_s(store.failures(subject, now - limit.window), now, limit) for subject, limit in counted)
    if wait:
        raise TooManyTries(wait)
    account = store.account(member)
    if not _is_password(account, password):
        longest = max(limit.window for _, limit in counted)
        store.add_failures([subject for subject, _ in counted], now, now - longest)
        raise WrongPassword(
            "the name and the password do not go together",
            expected="the name of your account and its password",
            next_step="try again, or ask an administrator for a new link",
        )
    store.forget_failures(f"account:{member[:100]}")
    return _begin_session(workspace, store, member)


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
        _tell(workspace, "account_linked", account.member, {"member": account.member})
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
        _tell(workspace, "signed_out", session.member, {"member": session.member})


def visitor_of_session(workspace: Workspace, session_secret: str) -> Visitor | None:
    """Who holds a session; None when it is unknown, over, or its account is disabled."""
    store, now, hashed = store_of(workspace), workspace.clock(), secret_hash(session_secret)
    session = store.session(hashed)
    if session is None:
        return None
    account = store.account(session.member)
    if session.is_over(now) or account is None or account.is_disabled:
        store.close_session(hashed)
        return None
    if now - session.seen_at > timedelta(hours=1):
        store.touch_session(hashed, now)
    return Visitor(session.member, "session", SCOPES, account.is_administrator, session.csrf)


def visitor_of_token(workspace: Workspace, secret: str) -> Visitor | None:
    """Who holds a token; None when it is unknown, expired, or its account is disabled."""
    store, now = store_of(workspace), workspace.clock()
    token = store.token(secret_hash(secret))
    if token is None or token.expires_at <= now:
        return None
    account = store.account(token.member)
    if account is not None and account.is_disabled:
        return None
    if token.used_at is None or now - token.used_at > timedelta(days=1):
        store.use_token(token.id, now)
    return Visitor(token.member, "token", token.scopes, account is not None and account.is_administrator)


def make_token(
    workspace: Workspace,
    member: str,
    *,
    actor: str,
    label: str,
    scopes: Sequence[Scope],
    days: int = 90,
    service: bool = False,
) -> tuple[str, Token]:
    """A token and its secret, which is shown this once.

    Args:
        workspace: The open workspace.
        member: In whose name the token acts; oneself, or anybody for an administrator.
        actor: Who makes it.
        label: What it is for.
        scopes: What it may do, of `read`, `relay`, `run` and `admin`.
        days: How long it lives, 1 to 366.
        service: Whether it belongs to a program of the team.

    Raises:
        Invalid: Every fault of the request.
        Refused: It is for somebody else and the actor is no administrator.
        Missing: There is no such member.
    """
    faults = _token_faults(label, scopes, days)
    if faults:
        raise Invalid(f"the token was not made: {len(faults)} fault(s)", faults)
    store = store_of(workspace)
    _require_member(workspace, member)
    if member != actor or "admin" in scopes:
        _require_administrator(store, actor)
    now, secret = workspace.clock(), TOKEN_PREFIX + new_secret()
    wanted = tuple(scope for scope in SCOPES if scope in scopes)
    token = Token(
        random.token_hex(6), member, label.strip(), service, wanted, now, now + min(timedelta(days=days), LONGEST_TOKEN)
    )
    store.add_token(secret_hash(secret), token)
    said = {"id": token.id, "member": member, "label": token.label, "scopes": list(wanted), "service": service}
    _tell(workspace, "token_made", actor, said)
    return secret, token


def tokens_of(workspace: Workspace, member: str, *, actor: str) -> tuple[Token, ...]:
    """The tokens of a member, the newest first: one's own, or anybody's for an administrator.

    Raises:
        Missing: There is no such member.
        Refused: They are somebody else's and the actor is no administrator.
    """
    store = store_of(workspace)
    if member != actor:
        _require_administrator(store, actor)
        _require_member(workspace, member)
    return store.tokens(member)


def revoke_token(workspace: Workspace, token_id: str, *, actor: str) -> None:
    """Ends a token at once.

    Raises:
        Missing: There is no such token.
        Refused: It is somebody else's and the actor is no administrator.
    """
    store = store_of(workspace)
    token = next((one for one in store.tokens() if one.id == token_id), None)
    if token is None:
        raise Missing(f"there is no token {token_id!r}", next_step="see the list of tokens")
    if token.member != actor:
        _require_administrator(store, actor)
    store.revoke_token(token_id)
    _tell(workspace, "token_revoked", actor, {"id": token_id, "member": token.member, "label": token.label})


def change_password(workspace: Workspace, member: str, *, old: str, new: str) -> str:
    """Changes one's own password, ends all of one's sessions, and begins a new one; its secret.

    Raises:
        WrongPassword: The old one is wrong.
        Invalid: The new one is too weak.
    """
    store = store_of(workspace)
    account = store.account(member)
    if account is None or not _is_password(account, old):
        raise WrongPassword("the present password is wrong", expected="the password you sign in with")
    faults = password_faults(new, member)
    if faults:
        raise Invalid(f"the password was not changed: {len(faults)} fault(s)", faults)
    store.save(replace(account, password_hash=hasher().hash(new)))
    store.close_sessions(member)
    _tell(workspace, "password_set", member, {"member": member})
    return _begin_session(workspace, store, member)


def set_disabled(workspace: Workspace, member: str, disabled: bool, *, actor: str) -> None:
    """Keeps a member out, or lets them in again. The last administrator cannot be kept out.

    Raises:
        Missing: There is no such account.
        Refused: The actor is no administrator, or nobody would be left to let people in.
    """
    store = store_of(workspace)
    _require_administrator(store, actor)
    account = _require_account(store, member)
    if disabled:
        _require_another_administrator(store, member)
    store.save(replace(account, is_disabled=disabled))
    if disabled:
        store.close_sessions(member)
    _tell(workspace, "account_disabled" if disabled else "account_enabled", actor, {"member": member})


def set_administrator(workspace: Workspace, member: str, administrator: bool, *, actor: str) -> None:
    """Makes a member an administrator, or no longer one. One always stays.

    Raises:
        Missing: There is no such account.
        Refused: The actor is no administrator, or it is the last one.
    """
    store = store_of(workspace)
    _require_administrator(store, actor)
    account = _require_account(store, member)
    if not administrator:
        _require_another_administrator(store, member)
    store.save(replace(account, is_administrator=administrator))
    _tell(workspace, "administrator_named" if administrator else "administrator_removed", actor, {"member": member})


def _begin_session(workspace: Workspace, store: AccountStore, member: str) -> str:
    secret, now = new_secret(), workspace.clock()
    store.open_session(secret_hash(secret), Session(member, new_secret(), now, now))
    _tell(workspace, "signed_in", member, {"member": member})
    return secret


def _is_password(account: Account | None, password: str) -> bool:
    """Whether it is the account's; takes as long for accounts that are not there, so that nobody can list them."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    usable = account is not None and bool(account.password_hash) and not account.is_disabled
    known = account.password_hash if account is not None and usable else _nobodys_hash()
    try:
        return hasher().verify(known, password) and usable
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return hasher().hash(new_secret())


def _require_administrator(store: AccountStore, actor: str) -> None:
    accounts = store.accounts()
    able = [name for name, one in accounts.items() if one.is_administrator and not one.is_disabled]
    if able and actor not in able:
        raise NotAllowed(
            f"{actor} may not do this",
            rule="accounts are an administrator's",
            expected=f"one of {', '.join(able)}",
            next_step=f"ask {able[0]}",
        )


def _require_another_administrator(store: AccountStore, member: str) -> None:
    left = [
        name
        for name, one in store.accounts().items()
        if one.is_administrator and not one.is_disabled and name != member
    ]
    if not left:
        raise Refused(
            f"{member} is the last administrator",
            rule="somebody must be able to let people in",
            next_step="name another administrator first",
        )


def _require_account(store: AccountStore, member: str) -> Account:
    account = store.account(member)
    if account is None:
        raise Missing(f"{member} has no account", next_step="invite them first")
    return account


def _require_member(workspace: Workspace, member: str) -> None:
    members = workspace.ledger.members()
    if member not in members:
        raise Missing(
            f"the team has no member {member!r}",
            expected=f"one of {', '.join(members)}" if members else "a team with at least one member",
            next_step="add them to the team first",
        )


def _token_faults(label: str, scopes: Sequence[str], days: int) -> list[Fault]:
    faults = []
    if not 1 <= len(label.strip()) <= LONGEST_LABEL:
        faults.append(Fault("label", "missing" if not label.strip() else "too long", "what the token is for"))
    faults += [Fault("scopes", f"there is no scope {one!r}", ", ".join(SCOPES)) for one in scopes if one not in SCOPES]
    if not scopes:
        faults.append(Fault("scopes", "none", f"one or more of {', '.join(SCOPES)}"))
    if not 1 <= days <= LONGEST_TOKEN.days:
        faults.append(Fault("days", f"{days}", f"1 to {LONGEST_TOKEN.days}"))
    return faults


def _tell(workspace: Workspace, kind: str, actor: str, body: Mapping[str, Any]) -> None:
    """Writes what happened to the accounts' stream; whoever writes at the same moment is simply written after."""
    for left in reversed(range(_TRIES)):
        sequence = workspace.ledger.length(ACCOUNT_STREAM)
        try:
            workspace.ledger.append(ACCOUNT_STREAM, sequence, (NewEvent(kind, actor, workspace.clock(), body),))
        except Stale:
            if not left:
                raise
        else:
            return
