"""Coming in and going out: sign-in, the links of invitations, and, on this machine alone, whose name is used."""

from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath
from litestar.response import Redirect

from tasuki.accounts.account import LONGEST_PASSWORD, SESSION_LENGTH, SHORTEST_PASSWORD
from tasuki.actions.accounts import (
    NewMember,
    TooManyTries,
    WrongPassword,
    accept_invitation,
    invitation_of,
    sign_in,
    sign_out,
)
from tasuki.errors import Invalid, Missing
from tasuki.flow.plan import ROLES
from tasuki.web.guard import local_address
from tasuki.web.site import AnyRequest, language_of, page, workspace_of
from tasuki.web.visitors import ACTING_COOKIE, SESSION_COOKIE, form_of, known_of

_OPEN = {"open": True}


@get("/sign-in", sync_to_thread=True, opt=_OPEN)
def show_sign_in(request: AnyRequest) -> Response[Any]:
    """The sign-in; whoever is in already goes on."""
    onward = local_address(request.query_params.get("next"))
    if known_of(request).visitor is not None:
        return Redirect(onward, status_code=303)
    return _sign_in_page(request, onward, "")


def _sign_in_page(request: AnyRequest, onward: str, problem: str, status: int = 200) -> Response[str]:
    workspace = workspace_of(request)
    context = {
        "onward": onward,
        "problem": problem,
        "typed": form_of(request).text("name"),
        "provider": workspace.door.provider,
        "place": "",
    }
    return page(request, workspace, "sign_in.html", context, status)


@post("/sign-in", sync_to_thread=True, opt=_OPEN)
def do_sign_in(request: AnyRequest) -> Response[Any]:
    """Lets a member in by password."""
    workspace, form = workspace_of(request), form_of(request)
    onward = local_address(form.text("next"))
    address = request.client.host if request.client else ""
    try:
        secret = sign_in(workspace, form.text("name"), form.raw("password"), address)
    except TooManyTries as wait:
        response = _sign_in_page(request, onward, "sign_in.too_many", 429)
        response.headers["Retry-After"] = str(wait.wait_s)
        return response
    except WrongPassword:
        return _sign_in_page(request, onward, "sign_in.wrong", 403)
    return with_session(request, Redirect(onward, status_code=303), secret)


@post("/sign-out", sync_to_thread=True, opt=_OPEN)
def do_sign_out(request: AnyRequest) -> Response[Any]:
    """Ends the session of this browser."""
    sign_out(workspace_of(request), request.cookies.get(SESSION_COOKIE, ""))
    response = Redirect("/sign-in", status_code=303)
    response.delete_cookie(SESSION_COOKIE)
    return response


@get("/welcome/{secret:str}", sync_to_thread=True, opt=_OPEN)
def show_welcome(request: AnyRequest, secret: FromPath[str]) -> Response[str]:
    """Where an invitation's link leads."""
    return _welcome_page(request, secret)


def _welcome_page(request: AnyRequest, secret: str, error: Invalid | None = None) -> Response[str]:
    workspace = workspace_of(request)
    found = invitation_of(workspace, secret)
    context = {
        "invitation": found,
        "secret": secret,
        "faults": error.faults if error else (),
        "typed": form_of(request),
        "members": workspace.ledger.members(),
        "roles": ROLES,
        "shortest": SHORTEST_PASSWORD,
        "longest": LONGEST_PASSWORD,
        "place": "",
    }
    return page(request, workspace, "welcome.html", context, 400 if error else 200)


@post("/welcome/{secret:str}", sync_to_thread=True, opt=_OPEN)
def do_welcome(request: AnyRequest, secret: FromPath[str]) -> Response[Any]:
    """Chooses a password, and for the first administrator who they are."""
    workspace, form = workspace_of(request), form_of(request)
    language = language_of(request, workspace.language)
    newcomer = NewMember(form.text("name"), form.texts("role"), language, form.text("display_name"))
    try:
        session = accept_invitation(workspace, secret, form.raw("password"), newcomer)
    except Invalid as error:
        return _welcome_page(request, secret, error)
    return with_session(request, Redirect("/", status_code=303), session)


@post("/acting-as", sync_to_thread=True, opt=_OPEN)
def do_act_as(request: AnyRequest) -> Response[Any]:
    """On this machine alone: in whose name the pages act, as `--as` on the command line."""
    workspace, form = workspace_of(request), form_of(request)
    known = known_of(request).visitor
    if known is None or known.way != "local":
        raise Missing("with a sign-in everybody acts in their own name")
    member = form.text("member")
    if member not in workspace.ledger.members():
        raise Missing(f"the team has no member {member!r}")
    response = Redirect(local_address(form.text("next")), status_code=303)
    response.set_cookie(Cookie(ACTING_COOKIE, value=member, path="/", httponly=True, samesite="lax"))
    return response


def with_session(request: AnyRequest, response: Redirect, secret: str) -> Redirect:
    """A new id for every sign-in: one that somebody planted before is worth nothing afterwards."""
    is_encrypted = workspace_of(request).door.public_url.startswith("https:")
    response.set_cookie(
        Cookie(
            SESSION_COOKIE,
            value=secret,
            path="/",
            httponly=True,
            samesite="lax",
            secure=is_encrypted,
            max_age=int(SESSION_LENGTH.total_seconds()),
        )
    )
    return response


COMING_IN = (show_sign_in, do_sign_in, do_sign_out, show_welcome, do_welcome, do_act_as)
