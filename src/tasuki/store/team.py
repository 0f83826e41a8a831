"""The team's members, kept in memory, and never older than the team's stream."""

from sqlalchemy import Engine

from tasuki.flow.event import TEAM_STREAM
from tasuki.flow.fold import fold_members
from tasuki.flow.plan import Member
from tasuki.store.database import asking, reading
from tasuki.store.head import Head, read_head
from tasuki.store.outlines import story_of


class TeamKeeper:
    """Keeps the members of one open ledger. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: tuple[int, dict[str, Member]] = (0, {})

    def members(self, head: Head | None) -> dict[str, Member]:
        """The members by name, folded anew when the team's stream has grown.

        Args:
            head: The ledger's head, for whoever has asked for it already.
        """
        if head is None:
            with asking(self._engine) as connection:
                head = read_head(connection)
        known, members = self._kept
        if head.team != known:
            with reading(self._engine) as connection:
                members = fold_members(story_of(connection, TEAM_STREAM)[: head.team])
            self._kept = head.team, members
        return dict(members)
