"""What every action on accounts shares: where they are kept, who may touch them, and telling the ledger what happened.

Secrets and passwords are never told. With an idempotency key the request is remembered beside what happened, so that
sent again it is not done again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tasuki.accounts.account import Account
from tasuki.actions.transaction import Request, done_before, marked
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, NotAllowed, Refused, Stale, said
from tasuki.flow.event import ACCOUNT_STREAM, NewEvent
from tasuki.store.accounts import AccountStore

Happened = tuple[str, Mapping[str, Any]]
"""The kind of an event, and its body."""
_TRIES = 20


def store_of(workspace: Workspace) -> AccountStore:
    """The accounts beside the workspace's ledger."""
    return AccountStore(workspace.ledger.engine)


def tell(workspace: Workspace, actor: str, happened: Sequence[Happened], request: Request | None = None) -> None:
    """Writes what happened to the accounts' stream; whoever writes at the same moment is simply written after."""
    told = tuple(NewEvent(kind, actor, workspace.clock(), body) for kind, body in happened)
    if not told:
        return
    events = told if request is None else marked(told, ACCOUNT_STREAM, request)
    for left in reversed(range(_TRIES)):
        sequence = workspace.ledger.length(ACCOUNT_STREAM)
        try:
            workspace.ledger.append(ACCOUNT_STREAM, sequence, events, key=request.key if request else None)
        except Stale:
            if not left:
                raise
        else:
            return


def was_done(workspace: Workspace, request: Request) -> bool:
    """Whether this very request was done before under its key.

    Raises:
        Refused: The key stands for another request.
    """
    return bool(done_before(workspace, ACCOUNT_STREAM, request))


def require_first_time(workspace: Workspace, request: Request, otherwise: str) -> None:
    """For what answers with a secret.

    Raises:
        Refused: It was done before: its secret was said then and is kept by nobody.
    """
    if was_done(workspace, request):
        raise Refused(
            said("this was done before, under the key {key!r}; nothing was done again", key=request.key),
            rule="a secret is said once",
            expected="the answer of the first time",
            next_step=otherwise,
        )


def require_administrator(store: AccountStore, actor: str) -> None:
    """While there is an administrator, accounts are theirs; before, whoever has this machine makes the first one.

    Raises:
        NotAllowed: The actor is none of them.
    """
    accounts = store.accounts()
    able = [name for name, one in accounts.items() if one.is_administrator and not one.is_disabled]
    if able and actor not in able:
        raise NotAllowed(
            said("{actor} may not do this", actor=actor),
            rule="accounts are an administrator's",
            expected=said("one of {members}", members=tuple(able)),
            next_step=said("ask {member}", member=able[0]),
        )


def require_another_administrator(store: AccountStore, member: str) -> None:
    """Somebody must be able to let people in.

    Raises:
        Refused: The member is the last administrator.
    """
    left = [
        name
        for name, one in store.accounts().items()
        if one.is_administrator and not one.is_disabled and name != member
    ]
    if not left:
        raise Refused(
            said("{member} is the last administrator", member=member),
            rule="somebody must be able to let people in",
            next_step="name another administrator first",
        )


def require_account(store: AccountStore, member: str) -> Account:
    """The account of a member.

    Raises:
        Missing: They have none.
    """
    account = store.account(member)
    if account is None:
        raise Missing(said("{member} has no account", member=member), next_step="invite them first")
    return account


def require_known_member(workspace: Workspace, member: str) -> None:
    """Raises `Missing` when the team has no such member."""
    members = workspace.ledger.members()
    if member not in members:
        raise Missing(
            said("the team has no member {member!r}", member=member),
            expected=said("one of {members}", members=tuple(members)) if members else "a team with at least one member",
            next_step="add them to the team first",
        )
