"""Tokens: making, listing and ending them, and who holds one. The secret is returned to its caller once."""

import secrets as random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tasuki.accounts.account import LONGEST_TOKEN, Token
from tasuki.accounts.rights import SCOPES, Scope
from tasuki.accounts.secret import TOKEN_PREFIX, new_secret, secret_hash
from tasuki.accounts.visitor import Visitor
from tasuki.actions.account_story import (
    require_administrator,
    require_first_time,
    require_known_member,
    store_of,
    tell,
    was_done,
)
from tasuki.actions.transaction import Request
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid, Missing, NotAllowed, said

LONGEST_LABEL = 100


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


@dataclass(frozen=True)
class TokenWish:
    """A token that somebody wants.

    Args:
        label: What it is for.
        scopes: What it may do, of `read`, `relay`, `run` and `admin`.
        days: How long it lives, 1 to 366.
        service: Whether it belongs to a program of the team.
    """

    label: str
    scopes: Sequence[str]
    days: int = 90
    service: bool = False


def make_token(
    workspace: Workspace, member: str, wish: TokenWish, *, actor: str, key: str | None = None
) -> tuple[str, Token]:
    """A token and its secret, which is shown this once.

    Args:
        workspace: The open workspace.
        member: In whose name the token acts; oneself, or anybody for an administrator.
        wish: What it is for and may do.
        actor: Who makes it.
        key: The same key with the same request makes one token.

    Raises:
        Invalid: Every fault of the request.
        Refused: It is for somebody else and the actor is no administrator, or it was made before under the key.
        Missing: There is no such member.
    """
    faults = _faults(wish)
    if faults:
        raise Invalid(said("the token was not made: {count} fault(s)", count=len(faults)), faults)
    store, told = store_of(workspace), {"member": member, **vars(wish), "scopes": list(wish.scopes)}
    request = Request("make_token", actor, told, key)
    require_known_member(workspace, member)
    if member != actor or "admin" in wish.scopes:
        require_administrator(store, actor)
    require_first_time(workspace, request, "revoke that token, and make one with a new key")
    now, secret = workspace.clock(), TOKEN_PREFIX + new_secret()
    wanted: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope in wish.scopes)
    until = now + min(timedelta(days=wish.days), LONGEST_TOKEN)
    token = Token(random.token_hex(6), member, wish.label.strip(), wish.service, wanted, now, until)
    store.add_token(secret_hash(secret), token)
    body = {"id": token.id, "member": member, "label": token.label, "scopes": list(wanted), "service": wish.service}
    tell(workspace, actor, [("token_made", body)], request)
    return secret, token


def _faults(wish: TokenWish) -> list[Fault]:
    faults, label = [], wish.label.strip()
    if not 1 <= len(label) <= LONGEST_LABEL:
        faults.append(Fault("label", "missing" if not label else "too long", "what the token is for"))
    unknown = [one for one in wish.scopes if one not in SCOPES]
    faults += [Fault("scopes", said("there is no scope {scope!r}", scope=one), ", ".join(SCOPES)) for one in unknown]
    if not wish.scopes:
        faults.append(Fault("scopes", "none", said("one or more of {scopes}", scopes=tuple(SCOPES))))
    if not 1 <= wish.days <= LONGEST_TOKEN.days:
        faults.append(Fault("days", f"{wish.days}", said("1 to {days}", days=LONGEST_TOKEN.days)))
    return faults


def require_others(only_own: bool, actor: str) -> None:
    """Raises `NotAllowed` for somebody else's token, where only one's own are within reach."""
    if only_own:
        raise NotAllowed(
            said("{actor} may not touch another's token", actor=actor),
            rule="tokens are one's own, and an administrator's",
            expected="an administrator",
            next_step="ask an administrator",
        )


def tokens_of(workspace: Workspace, member: str, *, actor: str) -> tuple[Token, ...]:
    """The tokens of a member, the newest first: one's own, or anybody's for an administrator.

    Raises:
        Missing: There is no such member.
        Refused: They are somebody else's and the actor is no administrator.
    """
    store = store_of(workspace)
    if member != actor:
        require_administrator(store, actor)
        require_known_member(workspace, member)
    return store.tokens(member)


def revoke_token(
    workspace: Workspace, token_id: str, *, actor: str, only_own: bool = False, key: str | None = None
) -> None:
    """Ends a token at once.

    Args:
        workspace: The open workspace.
        token_id: As the list of tokens says it.
        actor: Who ends it.
        only_own: Whether another's is out of reach even while the team has no administrator.
        key: The same key with the same request ends it once.

    Raises:
        Missing: There is no such token.
        Refused: It is somebody else's and the actor is no administrator.
    """
    request = Request("revoke_token", actor, {"id": token_id}, key)
    if was_done(workspace, request):
        return
    store = store_of(workspace)
    token = next((one for one in store.tokens() if one.id == token_id), None)
    if token is None:
        raise Missing(said("there is no token {token_id!r}", token_id=token_id), next_step="see the list of tokens")
    if token.member != actor:
        require_others(only_own, actor)
        require_administrator(store, actor)
    store.revoke_token(token_id)
    told = {"id": token_id, "member": token.member, "label": token.label}
    tell(workspace, actor, [("token_revoked", told)], request)
