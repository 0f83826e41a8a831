"""The ledger: events that are only ever appended, stored folds, idempotency keys and cursors."""

from alembic import op
from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Text, UniqueConstraint

revision = "0001"
down_revision = None

_SQLITE_GUARDS = (
    """CREATE TRIGGER events_never_updated BEFORE UPDATE ON events
       BEGIN SELECT RAISE(ABORT, 'events are never changed'); END""",
    """CREATE TRIGGER events_never_deleted BEFORE DELETE ON events
       BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END""",
    # INSERT OR REPLACE deletes the row in its way without asking the trigger above.
    """CREATE TRIGGER events_never_replaced BEFORE INSERT ON events
       WHEN EXISTS (SELECT 1 FROM events WHERE position = NEW.position)
         OR EXISTS (SELECT 1 FROM events WHERE idea = NEW.idea AND sequence = NEW.sequence)
       BEGIN SELECT RAISE(ABORT, 'this place in the stream is taken'); END""",
)
_POSTGRESQL_GUARDS = (
    """CREATE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'events are never changed or deleted'; END $$""",
    """CREATE TRIGGER events_never_changed BEFORE UPDATE OR DELETE ON events
       FOR EACH ROW EXECUTE FUNCTION events_stay()""",
    """CREATE TRIGGER events_never_truncated BEFORE TRUNCATE ON events
       FOR EACH STATEMENT EXECUTE FUNCTION events_stay()""",
)


def upgrade() -> None:
    """Makes the tables, and the triggers that keep events as they were written."""
    _make_events()
    _make_caches()
    guards = _SQLITE_GUARDS if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL_GUARDS
    for guard in guards:
        op.execute(guard)


def _make_events() -> None:
    op.create_table(
        "events",
        Column("position", _big(), primary_key=True, autoincrement=False),
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


def _make_caches() -> None:
    op.create_table(
        "streams",
        Column("idea", Text, primary_key=True),
        Column("sequence", Integer, nullable=False),
        Column("hash", Text, nullable=False),
        Column("state", Text, nullable=True),
        sqlite_strict=True,
    )
    op.create_table(
        "keys",
        Column("key", Text, primary_key=True),
        Column("idea", Text, nullable=False),
        Column("first_sequence", Integer, nullable=False),
        Column("last_sequence", Integer, nullable=False),
        Column("digest", Text, nullable=False),
        Column("at", Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "cursors",
        Column("name", Text, primary_key=True),
        Column("position", _big(), nullable=False),
        sqlite_strict=True,
    )


def _big() -> BigInteger:
    return BigInteger().with_variant(Integer, "sqlite")
