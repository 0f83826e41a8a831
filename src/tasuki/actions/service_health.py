"""Asking the inference service how it is, at the address that the workspace names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tasuki.clock import from_text
from tasuki.errors import joined, said
from tasuki.texts import from_record

ServiceState = Literal["not_configured", "not_reachable", "ok", "degraded"]
_PATIENCE_S = 2.0
_LARGEST_ANSWER = 4 * 1024 * 1024


@dataclass(frozen=True)
class Answering:
    """What one arm is answered by, as the service says.

    Args:
        experiment: The experiment that the arm belongs to; empty without one.
        arm: The arm.
        channel: The channel it follows.
        version: The version that answers; None for none.
        since: Since when.
        state: `serving`, `last_good` or `unavailable`.
        error: Why, when it is not simply serving.
        share: The arm's share.
    """

    experiment: str
    arm: str
    channel: str
    version: str | None
    since: datetime | None
    state: str
    error: str
    share: float


@dataclass(frozen=True)
class ServiceHealth:
    """The inference service at one moment.

    Args:
        state: `not_configured` without an address, `not_reachable` when nobody answers as the service does.
        address: Where it was asked; empty without one.
        detail: Why it is not reachable or not well.
        since: When it was started.
        models: What answers, by model.
    """

    state: ServiceState
    address: str = ""
    detail: str = ""
    since: datetime | None = None
    models: Mapping[str, tuple[Answering, ...]] = field(default_factory=dict)


def ask_service(address: str) -> ServiceHealth:
    """The service's `/health` at an address; what is not reachable is a state, and no error."""
    if not address:
        return ServiceHealth("not_configured")
    try:
        return _health_of(address, _document_at(f"{address.rstrip('/')}/health"))
    except OSError as error:
        return ServiceHealth("not_reachable", address, str(getattr(error, "reason", None) or error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return ServiceHealth("not_reachable", address, f"it does not answer as the inference service does ({error!r})")


def _document_at(address: str) -> Mapping[str, Any]:
    from urllib.request import ProxyHandler, build_opener

    # The service stands inside; what is configured for going outside must not be asked for it.
    with build_opener(ProxyHandler({})).open(address, timeout=_PATIENCE_S) as answer:
        document: Mapping[str, Any] = json.loads(answer.read(_LARGEST_ANSWER))
    return document


def _health_of(address: str, document: Mapping[str, Any]) -> ServiceHealth:
    models = {str(name): _answering(one) for name, one in document["models"].items()}
    faults = [str(one["error"]) for one in document["models"].values() if one.get("error")]
    faults += [f"{arm.channel}: {arm.error}" for arms in models.values() for arm in arms if arm.error]
    faults += [str(document["exposures"]["error"])] if document["exposures"]["error"] else []
    faults += _compaction_faults(document.get("compaction") or {})
    state: ServiceState = "ok" if document["status"] == "ok" else "degraded"
    return ServiceHealth(state, address, joined(faults), from_text(document["since"]), models)


def _compaction_faults(compaction: Mapping[str, Any]) -> list[str]:
    """Why the log is not compacted; of a service from before it told, nothing."""
    if not compaction.get("fails"):
        return []
    reasons = tuple(from_record(one["said"], str(one["text"])) for one in compaction["failure"]["reasons"])
    return [said("the exposure log was not compacted: {reasons:;}", reasons=reasons)]


def _answering(plan: Mapping[str, Any]) -> tuple[Answering, ...]:
    every = [plan, *plan.get("beside", ())]
    return tuple(_arm(one.get("experiment") or "", name, arm) for one in every for name, arm in one["arms"].items())


def _arm(experiment: str, name: str, arm: Mapping[str, Any]) -> Answering:
    since = from_text(arm["since"]) if arm.get("since") else None
    version = arm["version"]
    return Answering(
        experiment, name, str(arm["channel"]), None if version is None else str(version), since,
        str(arm["state"]), str(arm["error"]), float(arm["share"]),
    )  # fmt: skip
