"""Who asks for a page, and whether they may: asked before every route, so that a new page is closed until it says who.

Each route names its verb (`opt={"verb": "idea.list"}`, see `tasuki.accounts.rights`) or says that it is open to
everybody (`opt={"open": True}`: sign-in, style sheets, health). What changes something must also carry the mark that
this site put into its own form, so that no other site can make a reader's browser act.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler

from tasuki.accounts.secret import is_form_mark, new_secret
from tasuki.accounts.visitor import Visitor, may, require
from tasuki.actions.account_story import store_of
from tasuki.actions.sign_in import CameBack, come_back
from tasuki.actions.tokens import visitor_of_token
from tasuki.actions.workspace import Workspace
from tasuki.errors import NotAllowed, said
from tasuki.store.head import Head
from tasuki.web.cookies import SESSION_COOKIE, VISIT_COOKIE, read_cookie
from tasuki.web.forms import Form

ACTING_COOKIE = "tasuki_acting"
MARK_FIELD, MARK_HEADER = "_mark", "x-tasuki-mark"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SignInNeeded(Exception):
    """Nobody knows who asks."""


@dataclass(frozen=True)
class Known:
    """What is known of a request.

    Args:
        visitor: Who asks; None for a stranger.
        csrf: What its forms are marked with.
        is_new_visit: Whether the browser is to keep that mark from now on.
        language: What they read.
        head: The ledger's head when that was asked, for a request that changes nothing: all it shows is of then.
    """

    visitor: Visitor | None
    csrf: str
    is_new_visit: bool = False
    language: str | None = None
    head: Head | None = None


STRANGER = Known(None, "")


def known_of(request: ASGIConnection[Any, Any, Any, Any]) -> Known:
    """What the guard found out; a stranger where no route was found and so no guard was asked."""
    known = request.scope.get("state", {}).get("known")
    return known if isinstance(known, Known) else STRANGER


def visitor_of(request: ASGIConnection[Any, Any, Any, Any]) -> Visitor:
    """Who asks.

    Raises:
        SignInNeeded: A stranger.
    """
    visitor = known_of(request).visitor
    if visitor is None:
        raise SignInNeeded
    return visitor


async def require_visitor(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Lets the request through, or raises `SignInNeeded` or `NotAllowed`."""
    workspace: Workspace = connection.app.state.workspace
    reachable: bool = connection.app.state.reachable
    known = await asyncio.to_thread(_identify, connection, workspace, reachable)
    connection.scope.setdefault("state", {})["known"] = known
    by_token = known.visitor is not None and known.visitor.way == "token"
    is_form = isinstance(connection, Request) and connection.method not in SAFE_METHODS and not by_token
    if isinstance(connection, Request) and is_form:
        # Before anything is refused, so that the page that refuses can keep what somebody wrote.
        connection.scope["state"]["form"] = await _read_form(connection)
    verb = handler.opt.get("verb")
    if verb is None and not handler.opt.get("open"):
        raise NotAllowed(said("{path} names no verb", path=connection.url.path), rule="every page says who may see it")
    if verb is not None:
        if known.visitor is None:
            raise SignInNeeded
        require(known.visitor, verb)
    if is_form:
        _require_mark(connection, known)


def came_in(request: ASGIConnection[Any, Any, Any, Any], workspace: Workspace, session_secret: str) -> None:
    """From here on the request is the one's who has just signed in, and its page's forms carry their mark."""
    back = come_back(workspace, session_secret)
    if back is not None:
        request.scope["state"]["known"] = _known_again(workspace, back)


def still_may(connection: ASGIConnection[Any, Any, Any, Any], verb: str) -> bool:
    """Whether the one who asked still may, found out anew: for an answer that goes on for hours."""
    state = connection.app.state
    now = _identify(connection, state.workspace, state.reachable, is_use=False).visitor
    return now is not None and now.member == visitor_of(connection).member and may(now, verb)


def _identify(
    connection: ASGIConnection[Any, Any, Any, Any], workspace: Workspace, reachable: bool, *, is_use: bool = True
) -> Known:
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Known(visitor_of_token(workspace, secret.strip()), "")
    if secret := read_cookie(connection, SESSION_COOKIE):
        back = come_back(workspace, secret, is_use=is_use)
        if back is not None:
            return _of_now(connection, _known_again(workspace, back), back.head)
    visit = read_cookie(connection, VISIT_COOKIE)
    fresh = not 20 <= len(visit) <= 100
    csrf = new_secret() if fresh else visit
    if signs_in(workspace, reachable):
        return Known(None, csrf, fresh)
    head = workspace.ledger.head()
    local = _local_visitor(workspace.as_of(head), connection.cookies, csrf)
    return _of_now(connection, Known(local, csrf, fresh), head)


def _known_again(workspace: Workspace, back: CameBack) -> Known:
    member = workspace.ledger.as_of(back.head).members().get(back.visitor.member)
    return Known(back.visitor, back.visitor.csrf, language=member.language if member else None)


def _of_now(connection: ASGIConnection[Any, Any, Any, Any], known: Known, head: Head) -> Known:
    """What is known, with the head for a request that changes nothing; others ask again for what they have changed."""
    only_reads = isinstance(connection, Request) and connection.method in SAFE_METHODS
    return replace(known, head=head) if only_reads else known


def _local_visitor(workspace: Workspace, cookies: Mapping[str, str], csrf: str) -> Visitor:
    members = workspace.ledger.members()
    wanted = (cookies.get(ACTING_COOKIE, ""), workspace.member, *members)
    member = next((name for name in wanted if name in members), "")
    return Visitor(member, "local", is_administrator=True, csrf=csrf)


def _require_mark(connection: ASGIConnection[Any, Any, Any, Any], known: Known) -> None:
    origin = connection.headers.get("origin")
    if origin and origin != "null" and urlsplit(origin).netloc != connection.headers.get("host", ""):
        raise _foreign_form()
    mark = connection.headers.get(MARK_HEADER, "") or form_of(connection).text(MARK_FIELD)
    if known.is_new_visit or not known.csrf or not is_form_mark(mark, known.csrf):
        raise _foreign_form()


async def _read_form(connection: Request[Any, Any, Any]) -> Form:
    kind = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return Form({})
    fields = await connection.form()
    return Form({name: [one for one in fields.getall(name) if isinstance(one, str)] for name in fields})


def form_of(request: ASGIConnection[Any, Any, Any, Any]) -> Form:
    """The fields of the form that was sent; none where nothing was."""
    form = request.scope.get("state", {}).get("form")
    return form if isinstance(form, Form) else Form({})


def _foreign_form() -> NotAllowed:
    return NotAllowed(
        "the form was not sent from this site's own page, or your visit has ended since it was opened",
        rule="what changes something is sent from a page that this site just showed you",
        next_step="open the page again and send the form once more",
    )


def signs_in(workspace: Workspace, reachable: bool) -> bool:
    """Whether people must sign in: once there are accounts, when others can reach the host, or when set so.

    Args:
        workspace: The open workspace.
        reachable: Whether other machines can reach the host.
    """
    return reachable or workspace.door.sign_in == "on" or bool(store_of(workspace).accounts())
