"""Counting an experiment's exposures in the warehouse: SQL trees in, the sufficient counts of A/B 1 out.

Only a bounded sample of rows leaves the engine, for computing scores again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tasuki.actions.filled import filled
from tasuki.actions.logged_names import path_of
from tasuki.errors import Missing, said
from tasuki.experiments.check import AnswersSeen, ArmSeen, Counted, InputSeen, Moved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlglot import exp

    from tasuki.experiments.allocation import Allocation
    from tasuki.warehouse import Warehouse

SAMPLE_ROWS = 2_000
_HOUR_US = 3_600_000_000
COLUMNS = ("exposure", "at", "experiment", "model", "unit", "arm", "version", "score", "fallback", "reason")
MORE_COLUMNS = ("latency_us", "features")

_MINE = """
with checked_exposures as (select * from exposures where experiment = :experiment and model = :model and :span
                           and arm not in ('holdout', 'outside'))
"""
_IN_DAY = {
    "exposures": "cast(at as date) = cast(:day as date)",
    "outcomes": "exposure in (select exposure from outcomes where cast(at as date) = cast(:day as date))",
}
_DAYS = {
    "exposures": "select distinct cast(at as date) as day from checked_exposures order by day",
    "outcomes": """
        select distinct cast(at as date) as day from outcomes
        where exposure in (select exposure from checked_exposures) order by day
    """,
}
_ARMS = """
select arm, count(*) as exposures, count(distinct unit) as units,
       quantile_cont(latency_us, 0.5) / 1000 as p50, quantile_cont(latency_us, 0.99) / 1000 as p99
from checked_exposures group by arm order by arm
"""
_ANSWERS = """
select arm, version, fallback, coalesce(reason, '') as reason, count(*) as exposures, epoch_us(max(at)) as last_us
from checked_exposures group by all order by arm, exposures desc
"""
_TOTALS = """
select count(*) as exposures, count(distinct exposure) as distinct_exposures, count(distinct unit) as units,
       count(distinct unit) filter (where arm is distinct from :designed) as misassigned_units,
       count(distinct date_trunc('hour', at)) as hours, epoch_us(min(at)) as first_us, epoch_us(max(at)) as last_us
from checked_exposures
"""
_MOVED = """
select coalesce(:designed, 'no arm') as designed, arm as logged, count(distinct unit) as units
from checked_exposures where arm is distinct from :designed group by all order by units desc
"""
_EXPLAINED = """
select count(distinct unit) as units from checked_exposures where arm is distinct from :designed and arm = :earlier
"""
_SEVERAL_ARMS = """
select count(*) as units from (select unit from checked_exposures group by unit having count(distinct arm) > 1) as u
"""
_HOURS = {
    "exposures": "select distinct arm, epoch_us(date_trunc('hour', at)) as hour_us from checked_exposures",
    "outcomes": """
        select distinct e.arm, epoch_us(date_trunc('hour', o.at)) as hour_us
        from outcomes as o join checked_exposures as e on e.exposure = o.exposure
    """,
}
_LOGGED = "select arm, count(distinct exposure) as logged from checked_exposures group by arm"
_OUTCOMES = """
select count(distinct exposure) as logged, count(distinct date_trunc('hour', at)) as hours,
       epoch_us(min(at)) as first_us, epoch_us(max(at)) as last_us
from outcomes where exposure in (select exposure from checked_exposures)
"""
_LOST = """
select count(distinct exposure) as lost from outcomes
where epoch_us(at) between :first_us and :last_us and exposure not in (select exposure from exposures)
"""
_SAMPLE = """
select arm, version, score, features from checked_exposures
where version is not null order by md5(exposure) limit :rows
"""


@dataclass(frozen=True)
class Covered:
    """Which moments a log covers: the hours in which it has rows, and its first and last moment."""

    source: str
    hours: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Totals:
    """Counts over all arms."""

    exposures: int
    distinct_exposures: int
    units: int
    misassigned_units: int
    covered: Covered | None


class Exposures:
    """The exposures of one experiment.

    Args:
        warehouse: An open warehouse whose tables name `exposures`, and `outcomes` where there are some.
        experiment: The experiment's name.
        model: The model whose traffic it split.
    """

    def __init__(self, warehouse: "Warehouse", experiment: str, model: str) -> None:
        self.warehouse = warehouse
        self._names = {"experiment": experiment, "model": model}
        self._day: tuple[str, str] | None = None

    def of_day(self, day: date, by: str) -> "Exposures":
        """The exposures of one day (UTC), by their own time (`exposures`) or by that of their outcomes."""
        found = Exposures(self.warehouse, self._names["experiment"], self._names["model"])
        found._day = (day.isoformat(), by)
        return found

    def days(self, by: str) -> tuple[date, ...]:
        """The days that have exposures, by their own time or by that of their outcomes."""
        return tuple(row["day"] for row in self.rows(_DAYS[by]))

    def there(self) -> bool:
        """Whether anything was ever logged.

        Raises:
            Invalid: When the log has not the columns that the inference service writes.
        """
        from tasuki.warehouse import source_of

        try:
            self.warehouse.require_columns(source_of("exposures"), [*COLUMNS, *MORE_COLUMNS])
        except Missing:
            return False
        return True

    def totals(self, allocation: "Allocation") -> Totals:
        """Counts over all arms; units whose arm is not the one of their hash are misassigned."""
        row = self.rows(_TOTALS, designed=_designed(allocation))[0]
        covered = _covered(said("the exposures' own time"), row)
        counts = (row["exposures"], row["distinct_exposures"], row["units"], row["misassigned_units"])
        return Totals(*counts, covered)

    def hours_by_arm(self, by: str) -> dict[str, list[int]]:
        """The hours since 1970 in which each arm has rows, by the exposures' own time or by that of their outcomes."""
        found: dict[str, list[int]] = {}
        for row in self.rows(_HOURS[by]):
            if row["hour_us"] is not None:
                found.setdefault(row["arm"], []).append(row["hour_us"] // _HOUR_US)
        return found

    def moved(self, allocation: "Allocation") -> tuple[Moved, ...]:
        """Units that are in another arm than their hash says, by both arms."""
        return tuple(Moved(**row) for row in self.rows(_MOVED, designed=_designed(allocation)))

    def units_explained(self, allocation: "Allocation", earlier: "Allocation") -> int:
        """Misassigned units that are in the arm which another allocation gives them."""
        return int(self.rows(_EXPLAINED, designed=_designed(allocation), earlier=_designed(earlier))[0]["units"])

    def units_in_several_arms(self) -> int:
        """Units that were answered in more than one arm."""
        return int(self.rows(_SEVERAL_ARMS)[0]["units"])

    def arms(self) -> dict[str, ArmSeen]:
        """Exposures, units and latency of each arm."""
        return {row["arm"]: ArmSeen(row["exposures"], row["units"], row["p50"], row["p99"]) for row in self.rows(_ARMS)}

    def answers(self) -> tuple[AnswersSeen, ...]:
        """Exposures by arm, version and reason of a fallback."""
        return tuple(AnswersSeen(**row) for row in self.rows(_ANSWERS))

    def logged(self) -> dict[str, int]:
        """Distinct exposures of each arm."""
        return {row["arm"]: int(row["logged"]) for row in self.rows(_LOGGED)}

    def outcomes(self) -> tuple[Counted, Covered] | None:
        """How many outcomes have their exposure in the log, and what they cover; None without such outcomes.

        An outcome whose exposure is in no log at all counts as lost when it lies between the first and last of those
        that were found: the log cannot tell to which experiment it belonged.
        """
        from sqlglot import exp

        from tasuki.warehouse import source_of

        try:
            columns = self.warehouse.columns(source_of("outcomes"))
        except Missing:
            return None
        if not {"exposure", "at"} <= set(columns):
            return None
        row = self.rows(_OUTCOMES)[0]
        covered = _covered(said("the outcomes' time"), row)
        if covered is None:
            return None
        ends = {name: exp.Literal.number(row[name]) for name in ("first_us", "last_us")}
        lost = self.rows(_LOST, **ends)[0]["lost"]
        return Counted("outcomes", row["logged"] + lost, row["logged"]), covered

    def inputs(self, arm: str, nullable: Mapping[str, bool]) -> tuple[InputSeen, ...]:
        """How often each named input was absent or null in an arm's logged features."""
        from sqlglot import exp

        if not nullable:
            return ()
        counts: list[exp.Expr] = [exp.alias_(exp.Count(this=exp.Star()), "exposures")]
        for place, name in enumerate(nullable):
            kind = exp.Anonymous(this="json_type", expressions=[exp.column("features"), path_of(name)])
            absent = exp.Is(this=kind, expression=exp.Null())
            null = exp.func("coalesce", exp.EQ(this=kind.copy(), expression=exp.Literal.string("NULL")), exp.false())
            counts += [exp.alias_(exp.CountIf(this=absent), f"absent_{place}")]
            counts += [exp.alias_(exp.CountIf(this=null), f"null_{place}")]
        row = self._arm_row(arm, counts)
        return tuple(
            InputSeen(arm, name, allowed, row["exposures"], row[f"absent_{place}"], row[f"null_{place}"])
            for place, (name, allowed) in enumerate(nullable.items())
        )

    def score_counts(self, arm: str, edges: "Iterable[float]") -> tuple[int, ...]:
        """The arm's own scores (no fallbacks) counted in the bins between the edges; a score on an edge lies above."""
        from sqlglot import exp

        own = exp.not_(exp.column("fallback"))
        inner = [exp.and_(own.copy(), exp.column("score") >= exp.Literal.number(repr(edge))) for edge in edges]
        reached = [own, *inner]
        row = self._arm_row(arm, [exp.alias_(exp.CountIf(this=one), f"b{at}") for at, one in enumerate(reached)])
        counts = [*row.values(), 0]
        return tuple(above - below for above, below in pairwise(counts))

    def sample(self) -> list[dict[str, Any]]:
        """At most `SAMPLE_ROWS` answered exposures, always the same ones: arm, version, score and features."""
        from sqlglot import exp

        rows = self.rows(_SAMPLE, rows=exp.Literal.number(SAMPLE_ROWS))
        return [{**row, "features": json.loads(row["features"])} for row in rows]

    def _arm_row(self, arm: str, columns: "list[exp.Expr]") -> dict[str, Any]:
        from sqlglot import exp

        return self.rows("select * from checked_exposures where arm = :arm", columns, arm=exp.Literal.string(arm))[0]

    def rows(self, sql: str, columns: "Sequence[exp.Expr]" = (), /, **values: "exp.Expr") -> list[dict[str, Any]]:
        """The answer to a query over `checked_exposures`, this experiment's exposures.

        Args:
            sql: In DuckDB's words; :names are filled in.
            columns: What is selected, when it is not what the text says.
            values: What the :names stand for.
        """
        import sqlglot
        from sqlglot import exp

        tree = sqlglot.parse_one(_MINE + sql, read="duckdb")
        if columns and isinstance(tree, exp.Select):
            tree = tree.select(*columns, append=False)
        named = {name: exp.Literal.string(text) for name, text in self._names.items()}
        return self.warehouse.rows(filled(tree, {**named, "span": self._span(), **values}))

    def _span(self) -> "exp.Expr":
        import sqlglot
        from sqlglot import exp

        if self._day is None:
            return exp.true()
        day, by = self._day
        return filled(sqlglot.parse_one(_IN_DAY[by], read="duckdb"), {"day": exp.Literal.string(day)})


def _designed(allocation: "Allocation") -> "exp.Expr":
    from tasuki.experiments.allocation import arm_sql
    from tasuki.warehouse.engine import quoted

    return arm_sql(quoted("unit"), allocation)


def _covered(source: str, row: Mapping[str, Any]) -> Covered | None:
    if not row["hours"]:
        return None
    return Covered(source, row["hours"], _moment(row["first_us"]), _moment(row["last_us"]))


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
