"""The web application of one workspace."""

from typing import Any

from litestar import Litestar, Response, Router
from litestar.datastructures import MutableScopeHeaders, State
from litestar.exceptions import HTTPException
from litestar.types import BeforeMessageSendHookHandler, Message, Scope

from tasuki.actions.redelivery import Redelivery
from tasuki.actions.vouching import Vouching
from tasuki.actions.workspace import Workspace
from tasuki.web.account_pages import ACCOUNT_PAGES
from tasuki.web.audit_page import AUDIT
from tasuki.web.calendar_view import KeptCalendar
from tasuki.web.coming_in import COMING_IN
from tasuki.web.experiment_forms import EXPERIMENT_FORMS
from tasuki.web.experiments import EXPERIMENTS
from tasuki.web.fragments import MOST_OF_CASES, Fragments
from tasuki.web.guard import is_own_host, security_headers
from tasuki.web.handing_over import HANDING_OVER
from tasuki.web.language import accepted_language
from tasuki.web.metric_tree import METRICS
from tasuki.web.models_page import MODEL_PAGES
from tasuki.web.pages import PAGES
from tasuki.web.planning import PLANNING
from tasuki.web.problems import ForeignHost, answer_problem
from tasuki.web.rest.problems import answer_problem as answer_rest_problem
from tasuki.web.rest.routes import PREFIX, REST, description
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.streams import Streams
from tasuki.web.visitors import require_visitor
from tasuki.web.writing import WRITING

LARGEST_BODY = 2 * 1024 * 1024
"""Forms and JSON, in bytes."""


def create_app(workspace: Workspace, *, reachable: bool = False) -> Litestar:
    """The pages of an open workspace, as an ASGI application. The caller closes the workspace.

    A request that names another host than this machine or the public address is answered with an error page.

    Args:
        workspace: The open workspace.
        reachable: Whether other machines can reach the host: then people must sign in.
    """

    redelivery = Redelivery(workspace)

    def answer_error(request: AnyRequest, error: Exception) -> Response[Any]:
        if request.url.path.startswith(PREFIX):
            return answer_rest_problem(error, accepted_language(request.headers.get("accept-language")))
        return answer_problem(request, workspace, error)

    return Litestar(
        # One router for all: registered one by one, two handlers of one path would be put into threads twice.
        route_handlers=[
            Router(
                "/",
                route_handlers=[
                    *PAGES,
                    *PLANNING,
                    *EXPERIMENTS,
                    *EXPERIMENT_FORMS,
                    *METRICS,
                    *MODEL_PAGES,
                    *WRITING,
                    *HANDING_OVER,
                    *COMING_IN,
                    *ACCOUNT_PAGES,
                    *AUDIT,
                ],
                include_in_schema=False,
            ),
            REST,
        ],
        state=State(
            {
                "workspace": workspace,
                "reachable": reachable,
                "vouching": _vouching(workspace),
                "streams": Streams(),
                "fragments": Fragments(),
                "cases": Fragments(MOST_OF_CASES),
                "calendar": KeptCalendar(),
            }
        ),
        guards=[require_visitor],
        request_max_body_size=LARGEST_BODY,
        before_request=_refuse_foreign_host,
        exception_handlers={HTTPException: answer_error, Exception: answer_error},
        on_startup=[redelivery.start],
        on_shutdown=[redelivery.stop],
        before_send=[_protector(security_headers(workspace.door.is_encrypted))],
        openapi_config=description(),
        logging_config=None,
    )


def _protector(headers: dict[str, str]) -> BeforeMessageSendHookHandler:
    """Puts the headers on every answer: pages, files, REST, and whatever is said where nothing was found."""

    async def protect(message: Message, _: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        said = MutableScopeHeaders.from_message(message)
        for name, value in headers.items():
            said[name] = value
        said.setdefault("Cache-Control", "no-cache, private")

    return protect


def _vouching(workspace: Workspace) -> Vouching | None:
    provider = workspace.door.provider
    return None if provider is None else Vouching(provider, workspace.clock)


async def _refuse_foreign_host(request: AnyRequest) -> None:
    host = request.headers.get("host", "")
    if not is_own_host(host, workspace_of(request).door.public_url):
        raise ForeignHost(host)
