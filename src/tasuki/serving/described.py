"""The service's OpenAPI document, made from the schemas of the models that serve now."""

from collections.abc import Mapping
from typing import Any

from tasuki.models.artifact import Input
from tasuki.models.encoding import NULL
from tasuki.serving.plan import ServingPlan
from tasuki.serving.request import LARGEST_BODY, LARGEST_ROWS, LONGEST_TEXT

_VALUES: Mapping[str, Mapping[str, Any]] = {
    "number": {"type": "number"},
    "category": {
        "type": ["string", "number", "boolean"],
        "maxLength": LONGEST_TEXT,
        "not": {"const": NULL},
        "description": f"A text has at most {LONGEST_TEXT} bytes of UTF-8, and is not U+0000 alone.",
    },
    "time": {"type": "string", "format": "date-time", "description": "ISO 8601 with an offset or Z"},
}
_COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0, "description": "A count: 3, or the same as 3.0"}
_UNIT = {
    "anyOf": [{"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}, {"type": "integer"}],
    "description": f"A text has at most {LONGEST_TEXT} bytes of UTF-8.",
}
_NULLABLE_TEXT = {"type": ["string", "null"]}
_REFUSALS = {
    "400": "A field of the request is faulty, the model is not served, or the body is too large; each fault is named.",
    "401": "The token is missing or unknown.",
    "403": "The token may not ask this model.",
    "405": "Another method.",
    "408": "The body did not arrive in time.",
    "503": "Too much waits, or the disk refuses; Retry-After says when to ask again.",
}


def openapi_of(plans: Mapping[str, ServingPlan]) -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    paths: dict[str, Any] = {f"/v1/models/{model}/score": _score_path(model) for model in plans}
    schemas = {f"Features.{model}": _features(plan) for model, plan in plans.items()}
    for model in plans:
        schemas |= _forms(model)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tasuki inference service",
            "version": "1",
            "description": (
                f"Scores one unit, a list of rows or columns. A body has at most {LARGEST_BODY} bytes, whether its "
                "size is said beforehand (Content-Length) or it comes in chunks, and arrives within 5 seconds; a "
                f"request has at most {LARGEST_ROWS} rows; a unit or a text at most {LONGEST_TEXT} bytes of UTF-8. "
                "When neither an arm nor control can answer, the model's default answer is given: `version` is null, "
                "`reason` says why."
            ),
        },
        "paths": {**paths, **_OWN_PATHS},
        "components": {
            "schemas": {**schemas, **_ANSWERS, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _score_path(model: str) -> dict[str, Any]:
    asked = {"oneOf": [_ref(f"{form}.{model}") for form in ("Row", "Rows", "Columns")]}
    said = {"oneOf": [_ref("Answer"), _ref("Answers"), _ref("AnswerColumns")]}
    refusals = {status: _response(what, _ref("Problem")) for status, what in _REFUSALS.items()}
    return {
        "post": {
            "operationId": f"score_{model}",
            "summary": f"The score of {model} for one unit or many, each by the arm it belongs to",
            "security": [{}, {"token": []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
            "responses": {"200": _response("The scores; each answer is logged as an exposure.", said), **refusals},
        }
    }


def _features(plan: ServingPlan) -> dict[str, Any]:
    needed = plan.control.asks.inputs if plan.control.asks is not None else {}
    # What no loaded version reads must still be what a feature can be: it is kept in the log with the answer.
    properties: dict[str, Any] = {name: dict(_VALUES["category"]) for name in sorted(plan.accepts or ())}
    properties |= {one.name: _value(one) for one in plan.inputs}
    return {
        "type": "object",
        "properties": properties,
        "required": list(needed),
        "additionalProperties": plan.accepts is None,
    }


def _value(one: Input) -> dict[str, Any]:
    value = dict(_COUNT if one.count else _VALUES[one.type])
    if one.nullable:
        kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
        value["type"] = [*kinds, "null"]
    return value


def _forms(model: str) -> dict[str, Any]:
    row = _object({"unit": _UNIT, "features": _ref(f"Features.{model}")})
    rows = {"type": "array", "items": _ref(f"Row.{model}"), "minItems": 1, "maxItems": LARGEST_ROWS}
    units = {"type": "array", "items": _UNIT, "minItems": 1, "maxItems": LARGEST_ROWS}
    columns = {
        "type": "object",
        "additionalProperties": {"type": "array"},
        "description": f"One array for each feature of Features.{model}, as long as units.",
    }
    return {
        f"Row.{model}": row,
        f"Rows.{model}": _object({"rows": rows}),
        f"Columns.{model}": _object({"units": units, "columns": columns}),
    }


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _response(what: str, schema: Mapping[str, Any], media: str = "application/json") -> dict[str, Any]:
    return {"description": what, "content": {media: {"schema": schema}}}


def _get(what: str, responses: Mapping[str, Any]) -> dict[str, Any]:
    other = _response("Another method.", _ref("Problem"))
    return {"get": {"summary": what, "responses": {**responses, "405": other}}}


_PLAIN = {"type": "object"}
_OWN_PATHS = {
    "/health": _get("What serves, since when, and what is wrong", {"200": _response("The health.", _PLAIN)}),
    "/ready": _get(
        "Whether requests can be answered now",
        {"200": _response("They can.", _PLAIN), "503": _response("They cannot.", _ref("Problem"))},
    ),
    "/metrics": _get("Metrics for Prometheus", {"200": _response("The metrics.", {"type": "string"}, "text/plain")}),
    "/openapi.json": _get("This document", {"200": _response("OpenAPI 3.1.", _PLAIN)}),
}
_FAULT = _object({"where": {"type": "string"}, "what": {"type": "string"}, "expected": {"type": "string"}})
_PROBLEM = _object({"error": _object({"what": {"type": "string"}, "faults": {"type": "array", "items": _FAULT}})})
_ANSWER = {
    "exposure": {"type": "string"},
    "unit": {"type": "string"},
    "arm": {"type": "string"},
    "version": _NULLABLE_TEXT,
    "score": {"type": "number"},
    "fallback": {"type": "boolean"},
    "reason": _NULLABLE_TEXT,
}
_ANSWERS = {
    "Answer": _object(_ANSWER),
    "Answers": _object({"answers": {"type": "array", "items": _ref("Answer")}}),
    "AnswerColumns": _object(
        {f"{name}s": {"type": "array", "items": kind} for name, kind in _ANSWER.items() if name != "unit"}
    ),
}
