"""The ledger's tables as the queries see them. The migrations make them; a test holds both to each other."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

VERSION_TABLE = "tasuki_version"
metadata = MetaData()

_BIG = BigInteger().with_variant(Integer, "sqlite")

events = Table(
    "events",
    metadata,
    Column("position", _BIG, primary_key=True, autoincrement=False),
    Column("idea", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("idea", "sequence", name="events_idea_sequence"),
    CheckConstraint("position >= 1 AND sequence >= 1", name="events_count_from_one"),
    sqlite_strict=True,
)
"""The facts. `position` counts 1, 2, 3 … over all streams, `sequence` within one; neither has a gap. Triggers refuse
every update and delete."""

RUN_KINDS = ("experiment_started", "experiment_ramped", "experiment_stopped")
"""The events that the run of an experiment is told by."""

OF_RUNS = text(f"kind IN ({', '.join(repr(kind) for kind in RUN_KINDS)})")
"""The condition of their index: SQLite takes the index only for a query that says the very same."""

Index("events_of_runs", events.c.position, sqlite_where=OF_RUNS, postgresql_where=OF_RUNS)

streams = Table(
    "streams",
    metadata,
    Column("idea", Text, primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("hash", Text, nullable=False),
    Column("state", Text, nullable=True),
    sqlite_strict=True,
)
"""The stored fold: the head of each stream and, for ideas, their state. A cache that `doctor --rebuild` makes anew."""

outlines = Table(
    "outlines",
    metadata,
    Column("idea", Text, primary_key=True),
    Column("opened", _BIG, nullable=False),
    Column("outline", Text, nullable=False),
    sqlite_strict=True,
)
"""What lists need of each idea: the position it was opened at, and its outline. A cache, made with the stored fold; a
table of its own, since a column behind the whole state would be read through it."""

keys = Table(
    "keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("idea", Text, nullable=False),
    Column("first_sequence", Integer, nullable=False),
    Column("last_sequence", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at", Text, nullable=False),
    sqlite_strict=True,
)
"""Idempotency keys: which events were written under each, and the digest of what was asked."""

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", _BIG, nullable=False),
    sqlite_strict=True,
)
"""How far each reader of the feed (a webhook) has come."""

accounts = Table(
    "accounts",
    metadata,
    Column("member", Text, primary_key=True),
    Column("administrator", Integer, nullable=False),
    Column("disabled", Integer, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("subject", Text, nullable=True, unique=True),
    sqlite_strict=True,
)
"""Who is let in. Unlike events these rows change: a password hash must not be kept for ever."""

sessions = Table(
    "sessions",
    metadata,
    Column("secret_hash", Text, primary_key=True),
    Column("member", Text, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("seen_at", Text, nullable=False),
    sqlite_strict=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret_hash", Text, nullable=False, unique=True),
    Column("member", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("service", Integer, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("used_at", Text, nullable=True),
    sqlite_strict=True,
)

invitations = Table(
    "invitations",
    metadata,
    Column("secret_hash", Text, primary_key=True),
    Column("member", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    sqlite_strict=True,
)

failures = Table(
    "failures",
    metadata,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    Column("subject", Text, nullable=False, index=True),
    Column("at", Text, nullable=False),
    sqlite_strict=True,
)
"""Failed sign-ins, by account and by address, while they count."""

APPEND_ONLY_TRIGGERS = {
    "sqlite": ("events_never_updated", "events_never_deleted", "events_never_replaced"),
    "postgresql": ("events_never_changed", "events_never_truncated"),
}
"""The triggers that keep events as they were written, by kind of database."""
