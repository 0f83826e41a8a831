"""Members, their accounts and tokens, and what happened to them."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from tasuki.accounts.account import LONGEST_TOKEN
from tasuki.accounts.rights import Scope
from tasuki.actions import accounts, tokens
from tasuki.actions import run_documents as said
from tasuki.actions.account_story import store_of
from tasuki.actions.documents import member_document
from tasuki.actions.members import add_member, change_roles
from tasuki.errors import Fault, Invalid, Missing
from tasuki.flow.plan import Member
from tasuki.web.rest.answers import FARTHEST, Cursor, Document, Key, Limit, document, page_document, page_of
from tasuki.web.rest.ideas import Body, Line
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.visitors import visitor_of

_TAG = ["accounts"]
Roles = Annotated[list[Line], msgspec.Meta(max_length=10)]


class MemberBody(Body, frozen=True):
    """Somebody who joins the team."""

    name: Line
    roles: Roles
    display_name: Line = ""
    language: Literal["ja", "en"] = "ja"


class RolesBody(Body, frozen=True):
    """Exactly the roles that they have from now on."""

    roles: Roles


class AccessBody(Body, frozen=True):
    """What changes; what is not named stays as it is."""

    disabled: bool | None = None
    administrator: bool | None = None


class TokenBody(Body, frozen=True):
    """A token; in one's own name, or, by administrators, in another's."""

    label: Line
    scopes: Annotated[list[Scope], msgspec.Meta(max_length=4)]
    days: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_TOKEN.days)] = 90
    service: bool = False
    member: Line | None = None


@get("/members", sync_to_thread=True, opt={"verb": "account.list"}, tags=_TAG, responses=described())
def list_members(request: AnyRequest, limit: Limit = 50, cursor: Cursor = None) -> Document:
    """The team."""
    page = page_of(_team(request), lambda one: one.name, limit, cursor)
    return page_document("members/1", "members", page, member_document)


def _team(request: AnyRequest) -> tuple[Member, ...]:
    return tuple(workspace_of(request).ledger.members().values())


@post("/members", sync_to_thread=True, opt={"verb": "account.add"}, tags=_TAG, responses=described(404, 409))
def add(request: AnyRequest, data: JSONBody[MemberBody], key: Key = None) -> Document:
    """Adds a member to the team."""
    added = add_member(
        workspace_of(request),
        data.name,
        actor=visitor_of(request).member,
        roles=data.roles,
        language=data.language,
        display_name=data.display_name,
        key=key,
    )
    return document("member/1", member_document(added))


def _post(action: str, verb: str) -> post:
    return post(
        f"/members/{{member:str}}/{action}",
        sync_to_thread=True,
        opt={"verb": verb},
        tags=_TAG,
        status_code=200,
        responses=described(404, 409),
    )


@_post("roles", "account.role")
def give_roles(request: AnyRequest, member: FromPath[str], data: JSONBody[RolesBody], key: Key = None) -> Document:
    """Gives a member exactly these roles."""
    who = visitor_of(request).member
    changed = change_roles(workspace_of(request), member, actor=who, roles=data.roles, key=key)
    return document("member/1", member_document(changed))


@_post("invitation", "account.invite")
def invite(request: AnyRequest, member: FromPath[str], key: Key = None) -> Document:
    """Makes a link with which a member chooses a password. It is said this once; an earlier one stops working."""
    workspace = workspace_of(request)
    secret = accounts.invite(workspace, member, actor=visitor_of(request).member, key=key)
    site = workspace.door.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    return document("invitation/1", {"member": member, "link": f"{site}/welcome/{secret}"})


@_post("access", "account.disable")
def change_access(request: AnyRequest, member: FromPath[str], data: JSONBody[AccessBody], key: Key = None) -> Document:
    """Disables or enables an account, or makes it an administrator's or not; the same again changes nothing."""
    workspace, who = workspace_of(request), visitor_of(request).member
    if data.disabled is None and data.administrator is None:
        raise Invalid("nothing is to change", [Fault("body", "empty", "disabled, administrator or both")])
    wanted = {"disabled": data.disabled, "administrator": data.administrator}
    accounts.change_access(workspace, member, actor=who, key=key, **wanted)
    return document("account/1", said.account_document(_member(request, member), store_of(workspace).account(member)))


@get("/accounts", sync_to_thread=True, opt={"verb": "account.list"}, tags=_TAG, responses=described())
def list_accounts(request: AnyRequest, limit: Limit = 50, cursor: Cursor = None) -> Document:
    """Whether and how each member comes in."""
    known = store_of(workspace_of(request)).accounts()
    page = page_of(_team(request), lambda one: one.name, limit, cursor)
    return page_document("accounts/1", "accounts", page, lambda one: said.account_document(one, known.get(one.name)))


@get("/tokens", sync_to_thread=True, opt={"verb": "account.own"}, tags=_TAG, responses=described(404))
def list_tokens(
    request: AnyRequest,
    member: Annotated[
        str | None, QueryParameter(name="member", max_length=200, description="Another's, for administrators.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Document:
    """One's own tokens, without their secrets."""
    workspace, visitor = workspace_of(request), visitor_of(request)
    whose = member or visitor.member
    if whose != visitor.member:
        tokens.require_others(not visitor.is_administrator, visitor.member)
    found = tokens.tokens_of(workspace, whose, actor=visitor.member)
    page = page_of(found, lambda one: one.id, limit, cursor)
    return page_document("tokens/1", "tokens", page, said.token_document)


@post("/tokens", sync_to_thread=True, opt={"verb": "account.own"}, tags=_TAG, responses=described(404, 409))
def make_token(request: AnyRequest, data: JSONBody[TokenBody], key: Key = None) -> Document:
    """Makes a token. Its secret is said this once: sent again with the same key it is refused, not made twice."""
    visitor, wish = visitor_of(request), tokens.TokenWish(data.label, data.scopes, data.days, data.service)
    whose = data.member or visitor.member
    if whose != visitor.member:
        tokens.require_others(not visitor.is_administrator, visitor.member)
    secret, made = tokens.make_token(workspace_of(request), whose, wish, actor=visitor.member, key=key)
    return document("token/1", said.new_token_document(secret, made))


@delete(
    "/tokens/{token:str}",
    sync_to_thread=True,
    opt={"verb": "account.own"},
    tags=_TAG,
    status_code=200,
    responses=described(404, 409),
)
def revoke_token(request: AnyRequest, token: FromPath[str], key: Key = None) -> Document:
    """Ends a token at once."""
    visitor = visitor_of(request)
    only_own = not visitor.is_administrator
    tokens.revoke_token(workspace_of(request), token, actor=visitor.member, only_own=only_own, key=key)
    return document("token_revoked/1", {"id": token})


@get("/audit", sync_to_thread=True, opt={"verb": "audit.show"}, tags=_TAG, responses=described())
def show_audit(
    request: AnyRequest,
    after: Annotated[
        int, QueryParameter(name="after", ge=0, le=FARTHEST, description="A position; what follows it is told.")
    ] = 0,
    limit: Limit = 50,
) -> Document:
    """What happened, to ideas, the team and accounts: the ledger itself, the oldest first."""
    found = workspace_of(request).ledger.feed(after, limit)
    entries: list[dict[str, Any]] = [said.audit_entry(position, event) for position, event in found]
    return document("audit/1", {"events": entries, "next_after": found[-1][0] if len(found) == limit else None})


def _member(request: AnyRequest, name: str) -> Member:
    members = workspace_of(request).ledger.members()
    if name not in members:
        raise Missing(f"the team has no member {name!r}")
    return members[name]


ACCOUNTS = (
    list_members,
    add,
    give_roles,
    invite,
    change_access,
    list_accounts,
    list_tokens,
    make_token,
    revoke_token,
    show_audit,
)
