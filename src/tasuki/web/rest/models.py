"""Models: their versions, and what each channel points to."""

from typing import Annotated

from litestar import get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from tasuki.actions import run_documents as said
from tasuki.web.rest.answers import Cursor, Document, Key, Limit, document, page_document, page_of
from tasuki.web.rest.experiment_bodies import Name
from tasuki.web.rest.ideas import Body
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of
from tasuki.web.visitors import visitor_of

_TAG = ["models"]


class DefaultBody(Body, frozen=True):
    """What is answered when nothing can be computed, and why that number."""

    value: Annotated[float, Meta(ge=0, le=1)]
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class PublishBody(Body, frozen=True):
    """The version, the channel that points to it from now on, its default answer, and the idea that is told of it."""

    version: Name
    channel: Name = "champion"
    default: DefaultBody | None = None
    idea: str | None = None


class RollbackBody(Body, frozen=True):
    """The channel that points back, the version if it is not the one before, and the idea that is told of it."""

    channel: Name = "champion"
    to: Name | None = None
    idea: str | None = None


@get("/models", sync_to_thread=True, opt={"verb": "model.list"}, tags=_TAG, responses=described())
def list_models(request: AnyRequest, limit: Limit = 50, cursor: Cursor = None) -> Document:
    """The models, their versions and what each channel points to."""
    from tasuki.actions.artifacts import describe_models

    page = page_of(describe_models(workspace_of(request)), lambda one: one.name, limit, cursor)
    return page_document("model-list/1", "models", page)


@get("/models/{model:str}", sync_to_thread=True, opt={"verb": "model.show"}, tags=_TAG, responses=described(404))
def show_model(
    request: AnyRequest,
    model: FromPath[str],
    version: Annotated[
        str | None, QueryParameter(name="version", max_length=200, description="The champion's by default.")
    ] = None,
) -> Document:
    """What a version was made from, what it needs and where it is published."""
    from tasuki.actions.artifacts import describe_version

    return document("model-show/1", said.version_document(describe_version(workspace_of(request), model, version)))


@post(
    "/models/{model:str}/publish",
    sync_to_thread=True,
    opt={"verb": "model.publish"},
    tags=_TAG,
    status_code=200,
    responses=described(404, 409),
)
def publish(request: AnyRequest, model: FromPath[str], data: JSONBody[PublishBody], key: Key = None) -> Document:
    """Proves a version on its golden examples and points the channel at it."""
    from tasuki.actions.models import publish_model
    from tasuki.models.default_answer import DefaultAnswer

    who, workspace = visitor_of(request).member, workspace_of(request)
    default = DefaultAnswer(data.default.value, data.default.reason) if data.default else None
    done = publish_model(
        workspace, model, data.version, channel=data.channel, actor=who, default=default, idea=data.idea, key=key
    )
    return document("model-publish/1", said.published_document(done))


@post(
    "/models/{model:str}/rollback",
    sync_to_thread=True,
    opt={"verb": "model.rollback"},
    tags=_TAG,
    status_code=200,
    responses=described(404, 409),
)
def roll_back(request: AnyRequest, model: FromPath[str], data: JSONBody[RollbackBody], key: Key = None) -> Document:
    """Points the channel back at the version it had before, or at one that is named."""
    from tasuki.actions.models import roll_back_model

    who, workspace = visitor_of(request).member, workspace_of(request)
    done = roll_back_model(workspace, model, channel=data.channel, to=data.to, actor=who, idea=data.idea, key=key)
    return document("model-publish/1", said.published_document(done))


MODELS = (list_models, show_model, publish, roll_back)
