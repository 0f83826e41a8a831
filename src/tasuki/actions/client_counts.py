"""The client's own count of what it sent: said by the checker, or logged by the client in the table `client_counts`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasuki.errors import Fault, Invalid, Missing, said
from tasuki.experiments.check import Counted, RequestsSeen

if TYPE_CHECKING:
    from tasuki.actions.exposures import Exposures

TABLE = "client_counts"
CHECKERS_WORD = said("the checker's word")
_OF_TABLE = said("the table {table}", table=TABLE)


@dataclass(frozen=True)
class ClientSaid:
    """What the checker says of the client, where no log says it.

    Args:
        sent: Answers the client counted, by arm or under any one name.
        failed: Requests that got no answer.
        days: How long it ran, where the logs' own time does not say it.
    """

    sent: Mapping[str, int] = field(default_factory=dict)
    failed: int | None = None
    days: float | None = None

    def require_possible(self) -> None:
        """Raises `Invalid` naming every count or number of days that cannot be."""
        counts = {**{f"sent.{arm}": count for arm, count in self.sent.items()}, "failed": self.failed or 0}
        faults = [
            Fault(name, said("{count} is no count", count=count), "0 or more")
            for name, count in counts.items()
            if count < 0
        ]
        if self.days is not None and not 0 <= self.days < float("inf"):
            faults.append(Fault("days", said("{days:g} is no number of days", days=self.days), "0 or more"))
        if faults:
            raise Invalid("the experiment was not checked", faults)


@dataclass(frozen=True)
class ClientCounts:
    """What the client counted: in all or by arm, by hour, and what failed."""

    counted: tuple[Counted, ...] = ()
    hours: tuple[Counted, ...] = ()
    requests: RequestsSeen | None = None


def count_client(exposures: "Exposures", said: ClientSaid, arms: tuple[str, ...]) -> ClientCounts:
    """The client's counts: the checker's word first, the table `client_counts` (at, sent, arm, failed) otherwise."""
    logged = exposures.logged()
    columns = _columns(exposures)
    counted: tuple[Counted, ...] = ()
    if said.sent and set(said.sent) <= set(arms):
        counted = tuple(Counted(arm, count, logged.get(arm, 0)) for arm, count in said.sent.items())
    elif said.sent:
        counted = (Counted("all arms", sum(said.sent.values()), sum(logged.values())),)
    elif columns:
        counted = _by_arm(exposures, columns, logged)
    hours = _by_hour(exposures, columns) if columns else ()
    return ClientCounts(counted, hours, _requests(exposures, said, columns))


def _columns(exposures: "Exposures") -> Mapping[str, str]:
    from tasuki.warehouse import source_of

    try:
        columns = exposures.warehouse.columns(source_of(TABLE))
    except Missing:
        return {}
    return columns if {"at", "sent"} <= set(columns) else {}


def _mine(columns: Mapping[str, str]) -> str:
    return "where experiment = :experiment" if "experiment" in columns else ""


def _by_arm(exposures: "Exposures", columns: Mapping[str, str], logged: Mapping[str, int]) -> tuple[Counted, ...]:
    arm = "arm" if "arm" in columns else "'all arms'"
    rows = exposures.rows(
        f"select {arm} as arm, cast(sum(sent) as bigint) as sent from {TABLE} {_mine(columns)} group by all order by 1"
    )
    whole = sum(logged.values())
    return tuple(Counted(row["arm"], row["sent"], logged.get(row["arm"], 0) if arm == "arm" else whole) for row in rows)


def _by_hour(exposures: "Exposures", columns: Mapping[str, str]) -> tuple[Counted, ...]:
    rows = exposures.rows(
        f"""
        select strftime(coalesce(c.hour, e.hour), '%Y-%m-%d %H:00') as hour,
               cast(coalesce(sent, 0) as bigint) as sent, coalesce(logged, 0) as logged
        from (select date_trunc('hour', at) as hour, sum(sent) as sent
              from {TABLE} {_mine(columns)} group by all) as c
        full join (select date_trunc('hour', at) as hour, count(distinct exposure) as logged
                   from checked_exposures group by all) as e on c.hour = e.hour order by 1
        """
    )
    return tuple(Counted(row["hour"], row["sent"], row["logged"]) for row in rows)


def _requests(exposures: "Exposures", said: ClientSaid, columns: Mapping[str, str]) -> RequestsSeen | None:
    if said.failed is not None:
        sent = sum(said.sent.values()) or sum(exposures.logged().values())
        return RequestsSeen(sent + said.failed, said.failed, CHECKERS_WORD)
    if "failed" not in columns:
        return None
    row = exposures.rows(
        f"select cast(coalesce(sum(sent), 0) as bigint) as sent, cast(coalesce(sum(failed), 0) as bigint) as failed "
        f"from {TABLE} {_mine(columns)}"
    )[0]
    return RequestsSeen(row["sent"] + row["failed"], row["failed"], _OF_TABLE)
