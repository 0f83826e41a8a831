"""What the doors say of metrics, experiments, models and accounts: the same for `--json` and for REST."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasuki.accounts.account import Account, Token
    from tasuki.actions.artifacts import VersionEntry
    from tasuki.actions.booking import Booked, Released
    from tasuki.actions.deliveries import Told
    from tasuki.actions.models import Published
    from tasuki.actions.serving_state import ServingState
    from tasuki.experiments.booking import SlotCalendar
    from tasuki.flow.event import Event
    from tasuki.flow.plan import Member
    from tasuki.flow.records import CheckReport, Decision
    from tasuki.flow.state import IdeaState
    from tasuki.metrics.metric import Metric


def metric_document(metric: "Metric", sql: str | None = None) -> dict[str, Any]:
    """`tasuki.metric/1`: a declared metric, with the query that counts it where that was asked for."""
    return asdict(metric) if sql is None else {**asdict(metric), "sql": sql}


def metrics_document(metrics: Mapping[str, "Metric"]) -> dict[str, Any]:
    """`tasuki.metric_list/1`."""
    return {"metrics": [metric_document(one) for one in metrics.values()]}


def run_document(state: "IdeaState", experiment: str) -> dict[str, Any]:
    """`tasuki.experiment_start/1` and `tasuki.experiment_stop/1`."""
    one = next(one for one in state.experiments if one.name == experiment)
    return {
        "idea": state.idea,
        "experiment": one.name,
        "kind": one.kind,
        "started_at": one.started_at,
        "stopped_at": one.stopped_at,
    }


def ramp_document(state: "IdeaState", experiment: str) -> dict[str, Any]:
    """`tasuki.experiment_ramp/1`."""
    known = next(one for one in state.experiments if one.name == experiment)
    return {"idea": state.idea, "experiment": experiment, "exposed": known.exposed}


def booking_document(booked: "Booked") -> dict[str, Any]:
    """`tasuki.experiment_book/1`."""
    slot = booked.slot
    return {
        "idea": slot.idea,
        "experiment": slot.experiment,
        "kind": slot.kind,
        "lane": slot.lane,
        "first_day": slot.first,
        "last_day": slot.last,
        "days": slot.days,
        "position": booked.position,
    }


def release_document(released: "Released") -> dict[str, Any]:
    """`tasuki.experiment_release/1`."""
    freed = released.freed
    return {
        "idea": released.idea,
        "experiment": released.experiment,
        "lane": freed.lane,
        "first_day": freed.first,
        "days": freed.days,
        "reason": freed.reason,
        "sooner": [
            {
                "idea": one.slot.idea,
                "experiment": one.slot.experiment,
                "first_day": one.slot.first,
                "free_from": one.day,
            }
            for one in released.sooner
        ],
    }


def check_document(idea: str, report: "CheckReport") -> dict[str, Any]:
    """`tasuki.experiment_check/1`."""
    return {
        "idea": idea,
        "experiment": report.experiment,
        "passed": report.passed,
        "days": report.days,
        "days_required": report.days_required,
        "probes": report.probes,
        "incidents": report.incidents,
        "by_day": report.by_day,
    }


def decision_document(idea: str, experiment: str, recorded: "Decision") -> dict[str, Any]:
    """`tasuki.experiment_decide/1`."""
    as_recommended = recorded.decision == recorded.recommended
    return {"idea": idea, "experiment": experiment, "as_recommended": as_recommended, "decision": recorded}


def status_document(state: "ServingState") -> dict[str, Any]:
    """`tasuki.experiment_status/1`."""
    return {"service": state.service, "models": state.models}


def calendar_document(calendar: "SlotCalendar") -> dict[str, Any]:
    """`tasuki.calendar/1`: every slot by lane and day, the place in the queue of those that wait, what is free."""
    slots = [
        {
            "lane": one.lane,
            "experiment": one.experiment,
            "idea": one.idea,
            "title": one.title,
            "kind": one.kind,
            "first_day": one.first,
            "last_day": one.last,
            "state": one.state,
            "position": calendar.position(one.idea, one.experiment),
            "free_from": calendar.sooner(one),
        }
        for one in calendar.slots
    ]
    lanes = sorted({"ab1", "ab2", *(one.lane for one in calendar.slots)})
    capacity = {lane: calendar.capacity.get(lane, 1) for lane in lanes}
    freed = [
        {
            "lane": one.lane,
            "experiment": one.experiment,
            "idea": one.idea,
            "title": one.title,
            "first_day": one.first,
            "last_day": one.last,
            "by": one.by,
            "reason": one.reason,
        }
        for lane in dict.fromkeys(one.lane for one in calendar.freed)
        for one in calendar.still_free(lane)
    ]
    return {"today": calendar.today, "capacity": capacity, "slots": slots, "given_back": freed}


def published_document(published: "Published") -> dict[str, Any]:
    """`tasuki.model-publish/1`."""
    return {
        "model": published.model,
        "channel": published.channel,
        "version": published.version,
        "previous": published.previous,
        "default": published.default,
    }


def version_document(described: "VersionEntry") -> dict[str, Any]:
    """`tasuki.model-show/1`."""
    return {
        "model": described.model,
        "version": described.version,
        "inputs": described.inputs,
        "training": described.training,
        "published": [{"channel": channel, **vars(one)} for channel, one in described.published],
    }


def token_document(token: "Token") -> dict[str, Any]:
    """A token in a list: everything but its secret, which nobody has any more."""
    return {
        "id": token.id,
        "member": token.member,
        "label": token.label,
        "service": token.is_service,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "used_at": token.used_at,
    }


def new_token_document(secret: str, token: "Token") -> dict[str, Any]:
    """`tasuki.token/1`: the one time the secret is said."""
    said = {"token": secret, "id": token.id, "member": token.member, "scopes": token.scopes}
    return {**said, "expires_at": token.expires_at}


def account_document(member: "Member", account: "Account | None") -> dict[str, Any]:
    """`tasuki.account/1`: whether and how a member comes in."""
    return {
        "name": member.name,
        "can_sign_in": account is not None
        and not account.is_disabled
        and bool(account.password_hash or account.subject),
        "administrator": account is not None and account.is_administrator,
        "disabled": account is not None and account.is_disabled,
        "provider": account is not None and account.subject is not None,
    }


def audit_entry(position: int, event: "Event") -> dict[str, Any]:
    """One event of the ledger, for `tasuki.audit/1`."""
    return {
        "position": position,
        "stream": event.idea,
        "sequence": event.sequence,
        "kind": event.kind,
        "actor": event.actor,
        "at": event.at,
        "body": event.body,
    }


def webhook_document(told: "Told") -> dict[str, Any]:
    """A webhook without its address, which may be a secret."""
    return {
        "name": told.name,
        "signed": told.is_signed,
        "reached": told.reached,
        "waiting": told.waiting,
        "latest": None if told.latest is None else asdict(told.latest),
    }
