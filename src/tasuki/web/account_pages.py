"""One's own account (password, tokens), and everybody's accounts for administrators."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from tasuki.accounts.rights import SCOPES, VERBS
from tasuki.accounts.visitor import may
from tasuki.actions.account_story import store_of
from tasuki.actions.accounts import change_access, invite
from tasuki.actions.members import add_member, change_roles
from tasuki.actions.sign_in import TooManyTries, WrongPassword, change_password
from tasuki.actions.tokens import TokenWish, make_token, revoke_token
from tasuki.errors import Fault, Invalid
from tasuki.flow.plan import ROLES
from tasuki.web.coming_in import with_session
from tasuki.web.site import AnyRequest, page, workspace_of
from tasuki.web.visitors import form_of, visitor_of

_OWN, _READ = {"verb": "account.own"}, {"verb": "account.list"}


@get("/account", sync_to_thread=True, opt=_OWN)
def show_account(request: AnyRequest) -> Response[str]:
    """One's own password and tokens."""
    return _account_page(request)


def _account_page(
    request: AnyRequest, *, error: Invalid | None = None, problem: str = "", secret: str = "", status: int = 200
) -> Response[str]:
    workspace, visitor = workspace_of(request), visitor_of(request)
    store = store_of(workspace)
    context = {
        "account": store.account(visitor.member),
        "tokens": store.tokens(visitor.member),
        "scopes": SCOPES,
        "faults": error.faults if error else (),
        "problem": problem,
        "secret": secret,
        "typed": form_of(request),
        "now": workspace.clock(),
        "place": "account",
    }
    return page(request, workspace, "account.html", context, status)


@post("/account/password", sync_to_thread=True, opt=_OWN)
def do_change_password(request: AnyRequest) -> Response[Any]:
    """Changes one's own password; every other browser is signed out."""
    form, visitor = form_of(request), visitor_of(request)
    try:
        session = change_password(workspace_of(request), visitor.member, old=form.raw("old"), new=form.raw("new"))
    except TooManyTries as wait:
        response = _account_page(request, problem="sign_in.too_many", status=429)
        response.headers["Retry-After"] = str(wait.wait_s)
        return response
    except WrongPassword:
        return _account_page(request, problem="account.wrong_password", status=400)
    except Invalid as error:
        return _account_page(request, error=error, status=400)
    return with_session(request, Redirect("/account", status_code=303), session)


@post("/account/tokens", sync_to_thread=True, opt=_OWN)
def do_make_token(request: AnyRequest) -> Response[str]:
    """Makes a token and shows its secret once."""
    form, member = form_of(request), visitor_of(request).member
    faults: list[Fault] = []
    days = form.number("days", faults)
    scopes = form.texts("scope")
    try:
        if faults:
            raise Invalid("the token was not made", faults)
        wish = TokenWish(form.text("label"), scopes, int(days or 0), form.is_on("service"))
        secret, _ = make_token(workspace_of(request), member, wish, actor=member)
    except Invalid as error:
        return _account_page(request, error=error, status=400)
    return _account_page(request, secret=secret)


@post("/account/tokens/{token:str}/revoke", sync_to_thread=True, opt=_OWN)
def do_revoke_token(request: AnyRequest, token: FromPath[str]) -> Response[Any]:
    """Ends a token."""
    visitor = visitor_of(request)
    revoke_token(workspace_of(request), token, actor=visitor.member, only_own=not visitor.is_administrator)
    return Redirect("/account", status_code=303)


@get("/accounts", sync_to_thread=True, opt=_READ)
def show_accounts(request: AnyRequest) -> Response[str]:
    """The team: who is in it, with which roles; administrators can change it."""
    return _accounts_page(request)


def _accounts_page(
    request: AnyRequest, *, error: Invalid | None = None, link: str = "", invited: str = "", status: int = 200
) -> Response[str]:
    workspace, visitor = workspace_of(request), visitor_of(request)
    context = {
        "members": workspace.ledger.members(),
        "accounts": store_of(workspace).accounts(),
        "may_change": may(visitor, "account.invite"),
        "verbs": tuple(VERBS.values()),
        "roles": ROLES,
        "faults": error.faults if error else (),
        "link": link,
        "invited": invited,
        "typed": form_of(request),
        "place": "accounts",
    }
    return page(request, workspace, "accounts.html", context, status)


@post("/accounts", sync_to_thread=True, opt={"verb": "account.add"})
def do_add_member(request: AnyRequest) -> Response[Any]:
    """Adds a member to the team."""
    workspace, form, actor = workspace_of(request), form_of(request), visitor_of(request).member
    name = form.text("name")
    language = "en" if form.text("language") == "en" else "ja"
    try:
        add_member(
            workspace,
            name,
            actor=actor or name,
            roles=form.texts("role"),
            language=language,  # type: ignore[arg-type]
            display_name=form.text("display_name"),
        )
    except Invalid as error:
        return _accounts_page(request, error=error, status=400)
    return Redirect("/accounts", status_code=303)


@post("/accounts/{member:str}/invite", sync_to_thread=True, opt={"verb": "account.invite"})
def do_invite(request: AnyRequest, member: FromPath[str]) -> Response[str]:
    """Makes a link with which a member chooses a password, and shows it once."""
    workspace = workspace_of(request)
    secret = invite(workspace, member, actor=visitor_of(request).member)
    site = workspace.door.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    return _accounts_page(request, link=f"{site}/welcome/{secret}", invited=member)


@post("/accounts/{member:str}/roles", sync_to_thread=True, opt={"verb": "account.role"})
def do_change_roles(request: AnyRequest, member: FromPath[str]) -> Response[Any]:
    """Gives a member exactly the roles that are ticked."""
    form = form_of(request)
    try:
        change_roles(workspace_of(request), member, actor=visitor_of(request).member, roles=form.texts("role"))
    except Invalid as error:
        return _accounts_page(request, error=error, status=400)
    return Redirect("/accounts", status_code=303)


@post("/accounts/{member:str}/access", sync_to_thread=True, opt={"verb": "account.disable"})
def do_change_access(request: AnyRequest, member: FromPath[str]) -> Response[Any]:
    """Disables or enables an account, or makes it an administrator's or not."""
    workspace, actor = workspace_of(request), visitor_of(request).member
    match form_of(request).text("access"):
        case "disable" | "enable" as wish:
            change_access(workspace, member, disabled=wish == "disable", actor=actor)
        case "administrator" | "no_administrator" as wish:
            change_access(workspace, member, administrator=wish == "administrator", actor=actor)
    return Redirect("/accounts", status_code=303)


ACCOUNT_PAGES = (
    show_account,
    do_change_password,
    do_make_token,
    do_revoke_token,
    show_accounts,
    do_add_member,
    do_invite,
    do_change_roles,
    do_change_access,
)
