"""Events: the facts of which everything else is a fold. Append-only, chained by hash per stream."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasuki.clock import to_text

TEAM_STREAM = "team"
"""The stream that holds facts about the team itself: members and roles."""

ACCOUNT_STREAM = "accounts"
"""The stream of what happened to accounts: invitations, sign-ins, tokens. It holds no secret."""

OWN_STREAMS = frozenset({TEAM_STREAM, ACCOUNT_STREAM})
"""The streams that are not an idea; every other one is."""

Body = Mapping[str, Any]

IDEA_KINDS = frozenset(
    {
        "idea_opened",
        "evidence_attached",
        "cases_looked_up",
        "rule_recorded",
        "handoff_offered",
        "handoff_picked_up",
        "handoff_accepted",
        "handoff_returned",
        "debt_settled",
        "stage_skipped",
        "idea_killed",
        "idea_reopened",
        "experiment_booked",
        "experiment_released",
        "experiment_started",
        "experiment_ramped",
        "experiment_looked",
        "experiment_stopped",
        "comment_added",
        "contribution_stated",
        "contribution_confirmed",
        "case_filed",
    }
)
TEAM_KINDS = frozenset({"member_added", "member_changed"})
ACCOUNT_KINDS = frozenset(
    {
        "account_invited",
        "account_linked",
        "account_disabled",
        "account_enabled",
        "administrator_named",
        "administrator_removed",
        "password_set",
        "signed_in",
        "signed_out",
        "token_made",
        "token_revoked",
    }
)


@dataclass(frozen=True)
class NewEvent:
    """A fact that is about to be written. The ledger gives it its place in the stream."""

    kind: str
    actor: str
    at: datetime
    body: Body


@dataclass(frozen=True)
class Sought:
    """Which events are looked for; what is empty does not matter.

    Args:
        stream: An idea's id, or one of `OWN_STREAMS`.
        actor: Who did it.
        kind: What was done.
    """

    stream: str = ""
    actor: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Event:
    """A fact as the ledger keeps it.

    Args:
        idea: The stream: an idea's id, or one of `OWN_STREAMS`.
        sequence: 1, 2, 3 … within the stream, without a gap.
        kind: One of `IDEA_KINDS`, `TEAM_KINDS` or `ACCOUNT_KINDS`.
        actor: The member or service who did it.
        at: When, in UTC.
        body: What, as JSON values.
        previous_hash: The hash of the event before it; empty for the first.
        hash: See `event_hash`.
    """

    idea: str
    sequence: int
    kind: str
    actor: str
    at: datetime
    body: Body
    previous_hash: str
    hash: str


def canonical_json(value: object) -> str:
    """The one text form of a JSON value that is hashed: sorted keys, no spaces, UTF-8 kept, no NaN or infinity."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def event_hash(idea: str, sequence: int, event: NewEvent, previous_hash: str) -> str:
    """SHA-256 (hex) over everything an event says and the hash before it, so that a change anywhere is seen."""
    said = [idea, sequence, event.kind, event.actor, to_text(event.at), dict(event.body), previous_hash]
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def chained(idea: str, sequence: int, event: NewEvent, previous_hash: str) -> Event:
    """The event in its place in the stream."""
    digest = event_hash(idea, sequence, event, previous_hash)
    return Event(idea, sequence, event.kind, event.actor, event.at, event.body, previous_hash, digest)
