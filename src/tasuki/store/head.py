"""How far the ledger has grown: what was kept of it in memory is true as long as this is the same."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from tasuki.flow.event import TEAM_STREAM
from tasuki.store.schema import events


@dataclass(frozen=True)
class Head:
    """The newest of the ledger at one moment.

    Args:
        position: The position of its newest event; 0 for none.
        team: How many events the team's own stream holds.
    """

    position: int
    team: int


HEAD_COLUMNS: tuple[Any, ...] = (
    func.coalesce(select(func.max(events.c.position)).scalar_subquery(), 0).label("head_position"),
    func.coalesce(select(func.max(events.c.sequence)).where(events.c.idea == TEAM_STREAM).scalar_subquery(), 0).label(
        "head_team"
    ),
)
"""What a query selects in order to tell the head beside what it is asked for: one question instead of two."""

_HEAD = select(*HEAD_COLUMNS)


def head_of(row: RowMapping) -> Head:
    """The head that a row with these columns tells."""
    return Head(row["head_position"], row["head_team"])


def read_head(connection: Connection) -> Head:
    """The head as of now."""
    return head_of(connection.execute(_HEAD).mappings().one())
