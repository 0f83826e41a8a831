"""Coming in (by password, identity provider or link) and going out; alone on this machine, in whose name one acts."""

import logging
from typing import Any
from urllib.parse import quote, unquote

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath
from litestar.response import Redirect

from tasuki.accounts.account import LONGEST_PASSWORD, SESSION_LENGTH, SHORTEST_PASSWORD
from tasuki.accounts.secret import new_secret
from tasuki.actions.accounts import invitation_of
from tasuki.actions.sign_in import (
    AccountDisabled,
    NewMember,
    NotOfThisTeam,
    TooManyTries,
    WrongPassword,
    accept_invitation,
    counted_by_address,
    sign_in,
    sign_in_by_subject,
    sign_out,
)
from tasuki.actions.vouching import NotVouchedFor, Return, Vouching
from tasuki.errors import Invalid, Missing, TasukiError, Unavailable, said
from tasuki.flow.plan import ROLES
from tasuki.web.cookies import PROVIDER_COOKIE, SESSION_COOKIE, cookie_for, read_cookie
from tasuki.web.guard import client_address, local_address
from tasuki.web.kept_text import SIGN_IN, kept_of
from tasuki.web.site import AnyRequest, language_of, page, workspace_of
from tasuki.web.visitors import ACTING_COOKIE, came_in, form_of, known_of

_OPEN = {"open": True}
_log = logging.getLogger("tasuki.web")
_PROVIDER_PATH = "/sign-in/provider"
_PROVIDER_WAIT_S = 600
_PROVIDER_PROBLEMS: dict[type[TasukiError], tuple[str, int]] = {
    NotOfThisTeam: ("sign_in.provider_unknown", 403),
    AccountDisabled: ("sign_in.provider_disabled", 403),
    NotVouchedFor: ("sign_in.provider_refused", 403),
    Unavailable: ("sign_in.provider_away", 503),
}


@get("/sign-in", sync_to_thread=True, opt=_OPEN)
def show_sign_in(request: AnyRequest) -> Response[Any]:
    """The sign-in; whoever is in already goes on."""
    onward = local_address(request.query_params.get("next"))
    if known_of(request).visitor is not None:
        return Redirect(onward, status_code=303)
    return sign_in_page(request, onward, "")


def sign_in_page(request: AnyRequest, onward: str, problem: str, status: int = 200) -> Response[str]:
    """The sign-in, which keeps what was typed before it.

    Args:
        request: Who asks.
        onward: Where to go on to.
        problem: The key of what went wrong; empty for nothing.
        status: Of HTTP.
    """
    workspace = workspace_of(request)
    context = {
        "onward": onward,
        "problem": problem,
        "typed": form_of(request).text("name") if request.url.path == SIGN_IN else "",
        "kept": kept_of(request),
        "provider": workspace.door.provider,
        "place": "",
    }
    return page(request, workspace, "sign_in.html", context, status)


@post("/sign-in", sync_to_thread=True, opt=_OPEN)
def do_sign_in(request: AnyRequest) -> Response[Any]:
    """Lets a member in by password."""
    workspace, form = workspace_of(request), form_of(request)
    onward = local_address(form.text("next"))
    try:
        secret = sign_in(workspace, form.text("name"), form.raw("password"), _address_of(request))
    except TooManyTries as wait:
        return _too_many_tries(request, onward, wait)
    except WrongPassword:
        return sign_in_page(request, onward, "sign_in.wrong", 403)
    kept = kept_of(request)
    if kept is None:
        return with_session(request, Redirect(onward, status_code=303), secret)
    came_in(request, workspace, secret)
    return with_session(request, page(request, workspace, "send_again.html", {"kept": kept, "place": ""}), secret)


def _address_of(request: AnyRequest) -> str:
    """Where the request really comes from."""
    peer = request.client.host if request.client else ""
    forwarded = ",".join(request.headers.getall("x-forwarded-for", []))
    return client_address(peer, forwarded, workspace_of(request).door.trusted_proxies)


def _too_many_tries(request: AnyRequest, onward: str, wait: TooManyTries) -> Response[str]:
    response = sign_in_page(request, onward, "sign_in.too_many", 429)
    response.headers["Retry-After"] = str(wait.wait_s)
    return response


@get(_PROVIDER_PATH, sync_to_thread=True, opt=_OPEN)
def ask_provider(request: AnyRequest) -> Response[Any]:
    """Sends the browser to the identity provider."""
    secret, onward = new_secret(), local_address(request.query_params.get("next"))
    try:
        place = _vouching(request).address_to_ask(secret, _return_address(request))
    except Unavailable as error:
        return _provider_problem(request, onward, error)
    response = Redirect(place, status_code=303)
    response.set_cookie(_provider_cookie(request, f"{secret}|{quote(onward, safe='')}", _PROVIDER_WAIT_S))
    return response


@get(f"{_PROVIDER_PATH}/return", sync_to_thread=True, opt=_OPEN)
def return_from_provider(request: AnyRequest) -> Response[Any]:
    """Lets in the member for whom the identity provider vouches."""
    secret, _, kept = read_cookie(request, PROVIDER_COOKIE, _PROVIDER_PATH).partition("|")
    onward, query = local_address(unquote(kept)), {name: str(one) for name, one in request.query_params.items()}
    workspace, vouching = workspace_of(request), _vouching(request)
    try:
        with counted_by_address(workspace, _address_of(request)):
            vouched = vouching.vouch(Return(secret, query, _return_address(request)))
            session = sign_in_by_subject(workspace, vouched.subject, vouched.member)
    except TooManyTries as wait:
        return _too_many_tries(request, onward, wait)
    except tuple(_PROVIDER_PROBLEMS) as error:
        return _provider_problem(request, onward, error)
    response = with_session(request, Redirect(onward, status_code=303), session)
    response.set_cookie(_provider_cookie(request, "", 0))
    return response


def _provider_problem(request: AnyRequest, onward: str, error: TasukiError) -> Response[str]:
    """The sign-in again, with what to do; why exactly is for the log, which holds no secret."""
    _log.warning("a sign-in by the identity provider failed: %s", error.what)
    problem, status = next(said for kind, said in _PROVIDER_PROBLEMS.items() if isinstance(error, kind))
    response = sign_in_page(request, onward, problem, status)
    response.set_cookie(_provider_cookie(request, "", 0))
    return response


def _vouching(request: AnyRequest) -> Vouching:
    vouching: Vouching | None = request.app.state.vouching
    if vouching is None:
        raise Missing("no identity provider is set", next_step="sign in with your password")
    return vouching


def _return_address(request: AnyRequest) -> str:
    door = workspace_of(request).door
    site = door.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    return f"{site}{_PROVIDER_PATH}/return"


def _provider_cookie(request: AnyRequest, value: str, max_age: int) -> Cookie:
    """Lax, since the browser comes back from another site; only the return reads it."""
    return cookie_for(PROVIDER_COOKIE, value, workspace_of(request).door, path=_PROVIDER_PATH, max_age=max_age)


@post("/sign-out", sync_to_thread=True, opt=_OPEN)
def do_sign_out(request: AnyRequest) -> Response[Any]:
    """Ends the session of this browser."""
    workspace = workspace_of(request)
    sign_out(workspace, read_cookie(request, SESSION_COOKIE))
    response = Redirect("/sign-in", status_code=303)
    response.set_cookie(cookie_for(SESSION_COOKIE, "", workspace.door, max_age=0))
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
        raise Missing(said("the team has no member {member!r}", member=member))
    response = Redirect(local_address(form.text("next")), status_code=303)
    response.set_cookie(Cookie(ACTING_COOKIE, value=member, path="/", httponly=True, samesite="lax"))
    return response


def with_session(request: AnyRequest, response: Response[Any], secret: str) -> Response[Any]:
    """A new id for every sign-in: one that somebody planted before is worth nothing afterwards."""
    age = int(SESSION_LENGTH.total_seconds())
    response.set_cookie(cookie_for(SESSION_COOKIE, secret, workspace_of(request).door, max_age=age))
    return response


COMING_IN = (
    show_sign_in,
    do_sign_in,
    ask_provider,
    return_from_provider,
    do_sign_out,
    show_welcome,
    do_welcome,
    do_act_as,
)
