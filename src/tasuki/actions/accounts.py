"""Accounts: the first administrator's link, invitations, who is kept out, who may touch accounts.

A link's secret is returned to its caller once; only its hash is kept.
"""

from dataclasses import replace

from tasuki.accounts.account import FIRST_LINK_LENGTH, INVITATION_LENGTH, Account, Invitation
from tasuki.accounts.secret import new_secret, secret_hash
from tasuki.actions.account_story import (
    Happened,
    require_account,
    require_administrator,
    require_another_administrator,
    require_first_time,
    require_known_member,
    store_of,
    tell,
    was_done,
)
from tasuki.actions.transaction import Request
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, Refused, said
from tasuki.store.accounts import AccountStore


def first_link(workspace: Workspace) -> str | None:
    """A secret for the first administrator's link, once per call; None when there is an administrator already."""
    store = store_of(workspace)
    if _has_administrator(store):
        return None
    secret, now = new_secret(), workspace.clock()
    store.invite(secret_hash(secret), Invitation("", "first_administrator", now + FIRST_LINK_LENGTH))
    return secret


def _has_administrator(store: AccountStore) -> bool:
    return any(one.is_administrator for one in store.accounts().values())


def invite(workspace: Workspace, member: str, *, actor: str, key: str | None = None) -> str:
    """A secret for a link with which a member chooses a password. Earlier links of theirs stop working.

    Raises:
        Missing: The team has no such member.
        Refused: The actor is no administrator, the account is disabled, or the key says that it was done before.
    """
    request = Request("invite", actor, {"member": member}, key)
    store = store_of(workspace)
    require_administrator(store, actor)
    require_known_member(workspace, member)
    require_first_time(workspace, request, "invite them again with a new key: the earlier link then stops working")
    known = store.account(member)
    if known is not None and known.is_disabled:
        raise Refused(
            said("the account of {member} is disabled", member=member),
            rule="a disabled account lets nobody in",
            next_step="enable it first",
        )
    if known is None:
        store.save(Account(member))
    secret = new_secret()
    until = workspace.clock() + INVITATION_LENGTH
    store.invite(secret_hash(secret), Invitation(member, "invitation", until))
    tell(workspace, actor, [("account_invited", {"member": member})], request)
    return secret


def invitation_of(workspace: Workspace, secret: str) -> Invitation:
    """What a link's secret stands for.

    Raises:
        Missing: It was used, replaced, has ended, or what it was for is over: its account was disabled meanwhile, or
            the first administrator is there.
    """
    store = store_of(workspace)
    found = store.invitation(secret_hash(secret))
    if found is None or found.expires_at <= workspace.clock() or _is_void(store, found):
        raise Missing(
            "this link does not work any more",
            expected="a link that was not used, and not replaced by a newer one",
            next_step="ask an administrator for a new one; for the first administrator, start tasuki serve again",
        )
    return found


def _is_void(store: AccountStore, found: Invitation) -> bool:
    if found.purpose == "first_administrator":
        return _has_administrator(store)
    account = store.account(found.member)
    return account is not None and account.is_disabled


def change_access(
    workspace: Workspace,
    member: str,
    *,
    actor: str,
    disabled: bool | None = None,
    administrator: bool | None = None,
    key: str | None = None,
) -> None:
    """Keeps a member out or lets them in again, makes them an administrator or no longer one.

    What is None stays as it is; the same again changes nothing. One administrator always stays.

    Raises:
        Missing: There is no such account.
        Refused: The actor is no administrator, nobody would be left to let people in, or the key stands for
            another request.
    """
    said = {"member": member, "disabled": disabled, "administrator": administrator}
    request = Request("change_access", actor, said, key)
    store = store_of(workspace)
    require_administrator(store, actor)
    account = require_account(store, member)
    if was_done(workspace, request):
        return
    if disabled or administrator is False:
        require_another_administrator(store, member)
    happened: list[Happened] = []
    if administrator is not None and administrator != account.is_administrator:
        account = replace(account, is_administrator=administrator)
        happened.append(("administrator_named" if administrator else "administrator_removed", {"member": member}))
    if disabled is not None and disabled != account.is_disabled:
        account = replace(account, is_disabled=disabled)
        happened.append(("account_disabled" if disabled else "account_enabled", {"member": member}))
    if happened:
        store.save(account)
    if disabled:
        store.close_sessions(member)
    tell(workspace, actor, happened, request)
