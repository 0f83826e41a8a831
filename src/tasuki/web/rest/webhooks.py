"""Who is told of hand-offs, and how that went."""

from dataclasses import asdict

from litestar import get, post
from litestar.params import FromPath

from tasuki.actions.deliveries import deliveries_of
from tasuki.actions.run_documents import webhook_document
from tasuki.actions.webhooks import deliver_now, told_webhooks, webhook_named
from tasuki.web.rest.answers import Cursor, Document, Limit, document, page_document, page_of
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of

_TAG = ["webhooks"]


@get("/webhooks", sync_to_thread=True, opt={"verb": "webhook.list"}, tags=_TAG, responses=described())
def list_webhooks(request: AnyRequest, limit: Limit = 50, cursor: Cursor = None) -> Document:
    """The webhooks of the settings, without their addresses, which are secrets."""
    page = page_of(told_webhooks(workspace_of(request)), lambda one: one.name, limit, cursor)
    return page_document("webhooks/1", "webhooks", page, webhook_document)


@get(
    "/webhooks/{webhook:str}/deliveries",
    sync_to_thread=True,
    opt={"verb": "webhook.list"},
    tags=_TAG,
    responses=described(404),
)
def list_deliveries(request: AnyRequest, webhook: FromPath[str], limit: Limit = 50, cursor: Cursor = None) -> Document:
    """How the deliveries to a webhook went, the newest first."""
    workspace = workspace_of(request)
    webhook_named(workspace, webhook)
    tried = deliveries_of(workspace, webhook)
    page = page_of(tried, lambda one: f"{one.position}@{one.at}", limit, cursor)
    return page_document("deliveries/1", "deliveries", page, asdict)


@post(
    "/webhooks/{webhook:str}/deliver",
    sync_to_thread=True,
    opt={"verb": "webhook.deliver"},
    tags=_TAG,
    status_code=200,
    responses=described(404),
)
def deliver(request: AnyRequest, webhook: FromPath[str]) -> Document:
    """Tries at once what a webhook has not taken yet. What it has taken is not sent again."""
    return document("webhook/1", webhook_document(deliver_now(workspace_of(request), webhook)))


WEBHOOKS = (list_webhooks, list_deliveries, deliver)
