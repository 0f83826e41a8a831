"""The router of REST, and the description of everything in it."""

from typing import Any

from litestar import Response, Router, get
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.openapi.spec.base import BaseSchemaObject

from tasuki.web.rest.accounts import ACCOUNTS
from tasuki.web.rest.calculations import CALCULATIONS
from tasuki.web.rest.experiment_lists import EXPERIMENT_LISTS
from tasuki.web.rest.experiments import EXPERIMENTS
from tasuki.web.rest.ideas import IDEAS
from tasuki.web.rest.library import LIBRARY
from tasuki.web.rest.models import MODELS
from tasuki.web.rest.problems import described
from tasuki.web.rest.stream import STREAM
from tasuki.web.rest.webhooks import WEBHOOKS
from tasuki.web.site import AnyRequest

PREFIX = "/api/v1"


def description() -> OpenAPIConfig:
    """How the description is made; the page with it is not: it would load scripts from elsewhere."""
    return OpenAPIConfig(
        title="tasuki",
        version="1",
        description=(
            "Every verb of the tasuki command. Answers are the documents that `--json` prints, errors are "
            "problem+json. "
            "Send `Authorization: Bearer TOKEN` with a token made under your account, and an `Idempotency-Key` with "
            "what must not happen twice."
        ),
        components=[Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")})],
        security=[{"token": []}],
        path="/api/v1/-",
        render_plugins=[],
        use_handler_docstrings=True,
    )


@get("/openapi.json", opt={"open": True}, include_in_schema=False, responses=described())
async def send_description(request: AnyRequest) -> Response[dict[str, Any]]:
    """The description of REST as OpenAPI 3.1."""
    schema = request.app.openapi_schema
    assert isinstance(schema, BaseSchemaObject)
    return Response(_closed(schema.to_schema()), media_type="application/json")


def _closed(described: dict[str, Any]) -> dict[str, Any]:
    """Requests with a field that nobody reads are refused, and the description says so."""
    for name, one in described["components"]["schemas"].items():
        if name.endswith("Body"):
            one["additionalProperties"] = False
    return described


REST = Router(
    PREFIX,
    route_handlers=[
        *IDEAS,
        *LIBRARY,
        *EXPERIMENT_LISTS,
        *EXPERIMENTS,
        *MODELS,
        *CALCULATIONS,
        *ACCOUNTS,
        *STREAM,
        *WEBHOOKS,
        send_description,
    ],
    include_in_schema=True,
)
