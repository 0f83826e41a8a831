"""The web application of one workspace."""

from typing import Any

from litestar import Litestar, Response
from litestar.datastructures import ResponseHeader, State
from litestar.exceptions import HTTPException

from tasuki.actions.workspace import Workspace
from tasuki.web.guard import SECURITY_HEADERS, is_own_host
from tasuki.web.pages import PAGES
from tasuki.web.problems import ForeignHost, answer_problem
from tasuki.web.site import AnyRequest


def create_app(workspace: Workspace) -> Litestar:
    """The pages of an open workspace, as an ASGI application. The caller closes the workspace.

    For this machine only: a request that names another host is answered with an error page.
    """

    def answer_error(request: AnyRequest, error: Exception) -> Response[Any]:
        return answer_problem(request, workspace, error)

    return Litestar(
        route_handlers=list(PAGES),
        state=State({"workspace": workspace}),
        before_request=_refuse_foreign_host,
        exception_handlers={HTTPException: answer_error, Exception: answer_error},
        response_headers=[
            *(ResponseHeader(name=name, value=value) for name, value in SECURITY_HEADERS.items()),
            ResponseHeader(name="Cache-Control", value="no-cache, private"),
        ],
        openapi_config=None,
        logging_config=None,
    )


async def _refuse_foreign_host(request: AnyRequest) -> None:
    host = request.headers.get("host", "")
    if not is_own_host(host):
        raise ForeignHost(host)
