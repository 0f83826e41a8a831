"""What is asked of an experiment whose days are kept, what is known of it, and the trees of one run over its days.

Rows of some files and of one day are joined to exposures and summed to units; sums of days add up.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date

from sqlglot import exp

from tasuki.actions.exposed_rows import rows_by_day
from tasuki.actions.measure import Asked, read, statistics_of
from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.exposure_doubts import ColumnsMissing
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.exposed import ARM, EXPOSURES, PRESENT, UNIT, exposed_table
from tasuki.metrics.increments import kept_units_tree, merged_tree, partial_tree
from tasuki.metrics.metric import Metric
from tasuki.metrics.reading import Reading
from tasuki.metrics.statistics import Statistics
from tasuki.stats.concern import Concern
from tasuki.warehouse import Source, Warehouse
from tasuki.warehouse.engine import quoted

NO_DAY = date(1970, 1, 1)
"""Where a row without a time counts, if it counts at all: before any other."""
_UNNUMBERED = {"name", "direction", "margin", "parent", "owner", "titles"}
"""What a metric says that no sum depends on."""


@dataclass(frozen=True)
class Asking:
    """What is compared.

    Args:
        experiment: Whose exposures count.
        metrics: Metrics of one table, tied to exposures in one way, each with a column of time.
        segments: Columns of that table by whose values they are compared as well.
        tables: The pattern of Parquet files by table.
        today: The day (UTC) whose rows are not complete yet.
        alpha: The level, for the intervals of quantiles.
        rebuild: Forget what is kept.
    """

    experiment: str
    metrics: tuple[Metric, ...]
    segments: tuple[str, ...]
    tables: Mapping[str, str]
    today: date
    alpha: float
    rebuild: bool = False

    @property
    def key(self) -> str:
        """The hash of everything that the numbers depend on besides the rows."""
        declared = [{k: v for k, v in asdict(one).items() if k not in _UNNUMBERED} for one in self.metrics]
        told = json.dumps([self.experiment, declared, self.segments, self.alpha], sort_keys=True, default=str)
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class Grown:
    """What is known of an experiment's metrics on one table.

    Args:
        statistics: What is known now.
        metrics: The metrics as they were bound.
        days: What was known at the end of each day.
        seen: The days that have rows or exposures.
        concerns: Doubts about the reading.
        exposed: The days that have exposures.
        rows: By day, how many rows follow from an exposure.
        missing: Files that lack columns which are read.
    """

    statistics: Statistics
    metrics: tuple[BoundMetric, ...]
    days: tuple[tuple[date, Statistics], ...]
    seen: tuple[date, ...]
    concerns: tuple[Concern, ...]
    exposed: tuple[date, ...] = ()
    rows: Mapping[date, int] = field(default_factory=dict)
    missing: ColumnsMissing = field(default_factory=dict)


def require_segments(segments: Sequence[str], columns: Mapping[str, str], table: str) -> None:
    """Raises `Invalid` naming every segment that the table has no column of."""
    faults = [
        Fault(name, said("is no column of {table}", table=table), ", ".join(columns))
        for name in segments
        if name not in columns
    ]
    if faults:
        raise Invalid("the segments cannot be compared", faults)


class Step:
    """The trees of one run: rows of some files and of one day, joined to exposures, summed to units."""

    def __init__(self, warehouse: Warehouse, asking: Asking, columns: Mapping[str, str], exposures: exp.Table) -> None:
        self._warehouse = warehouse
        self._asking = asking
        self._columns = columns
        self.exposures = exposures
        nothing = exp.select(*[exp.alias_(_empty(kind), name, quoted=True) for name, kind in columns.items()]).where(
            exp.false()
        )
        require_segments(asking.segments, columns, asking.metrics[0].table or "")
        asked = Asked(ARM, UNIT, asking.segments, asking.metrics, None)
        self.reading: Reading = read(warehouse, self._joined(nothing), columns, asked)

    def fold(
        self, sums: exp.Table | None, files: Sequence[str], span: tuple[date | None, date]
    ) -> tuple[exp.Table | None, list[tuple[date, Statistics]]]:
        """The sums after the rows of some files, day by day, and what was known at the end of each day."""
        since, until = span
        rows, exposed = self.days_of_rows(files), self.days_of_exposures()
        if since is not None:
            for day in [one for one in rows if one < since]:
                sums = self._grown(sums, files, day)
        known = []
        for day in sorted({one for one in (*rows, *exposed) if (since is None or one >= since) and one < until}):
            if day in rows:
                sums = self._grown(sums, files, day)
            found = self._statistics_on(sums, day)
            if found is not None:
                known.append((day, found))
        return sums, known

    def _grown(self, sums: exp.Table | None, files: Sequence[str], day: date) -> exp.Table | None:
        more = self.added(sums, self.partial(files, day))
        if sums is not None:
            self._warehouse.forget(sums)
        return more

    def partial(self, files: Sequence[str], day: date | None) -> exp.Select | None:
        """The sums of the rows of some files, on one day or on all; None without files."""
        if not files:
            return None
        rows = exp.select(exp.Star()).from_(self._warehouse.table(parquet_source(files)))
        if day is not None:
            rows = rows.where(exp.EQ(this=self._day_of_row(), expression=day_literal(day)))
        return partial_tree(replace(self.reading, table=self._joined(rows)))

    def added(self, sums: exp.Table | None, part: exp.Select | None) -> exp.Table | None:
        """Sums and more of them."""
        if part is None:
            return sums
        parts: list[exp.Expr] = [part.subquery("q")] if sums is None else [sums, part.subquery("q")]
        return self._warehouse.materialize(merged_tree(parts, self.reading))

    def statistics(self, sums: exp.Table | None, day: date | None) -> Statistics:
        """What is known of the units that were exposed until the end of a day, or until now."""
        exposures: exp.Expr = self.exposures
        if day is not None:
            until = exp.LTE(this=exp.cast(quoted("at"), exp.DType.DATE), expression=day_literal(day))
            exposures = exp.select(exp.Star()).from_(exposures.copy()).where(until).subquery("x")
        kept = sums if sums is not None else self.saved(None).subquery("k")
        units = kept_units_tree(exposures, kept, self.reading)
        return statistics_of(
            self._warehouse, replace(self.reading, units=units, units_tell_varying=True), self._asking.alpha
        )

    def saved(self, sums: exp.Table | None) -> exp.Select:
        """The sums as they are kept; an empty table when there are none."""
        if sums is not None:
            return exp.select(exp.Star()).from_(sums.copy())
        return partial_tree(self.reading)

    def _joined(self, rows: exp.Select) -> exp.Subquery:
        """Only rows that an exposure is known for."""
        metric = self._asking.metrics[0]
        tree = exposed_table(metric, self._asking.experiment, self._columns)
        for table in list(tree.find_all(exp.Table)):
            alias = table.args.get("alias")
            if table.name == EXPOSURES and alias is not None:
                named = self.exposures.copy()
                named.set("alias", alias.copy())
                table.replace(named)
            elif table.name == metric.table:
                table.replace(rows.copy().subquery("t"))
        there = exp.not_(exp.Is(this=quoted(PRESENT), expression=exp.Null()))
        return exp.select(exp.Star()).from_(tree).where(there).subquery("joined")

    def rows_by_day(self, files: Sequence[str]) -> dict[date, int]:
        """How many rows of some files follow from an exposure, by day."""
        if not files:
            return {}
        rows = exp.select(exp.Star()).from_(self._warehouse.table(parquet_source(files)))
        return rows_by_day(self._warehouse, self._joined(rows), self._asking.metrics[0])

    def days_of_exposures(self) -> list[date]:
        """Every day that a unit was first exposed on."""
        day = exp.alias_(exp.cast(quoted("at"), exp.DType.DATE), "day")
        rows = self._warehouse.rows(exp.select(day).distinct().from_(self.exposures.copy()))
        return sorted(row["day"] for row in rows if row["day"] is not None)

    def days_of_rows(self, files: Sequence[str]) -> list[date]:
        """Every day that some files have rows of."""
        if not files:
            return []
        day = exp.alias_(self._day_of_row(), "day")
        rows = self._warehouse.rows(exp.select(day).distinct().from_(self._warehouse.table(parquet_source(files))))
        return sorted(row["day"] for row in rows)

    def _statistics_on(self, sums: exp.Table | None, day: date) -> Statistics | None:
        """What was known at the end of a day; None where nothing could be compared yet."""
        try:
            return self.statistics(sums, day)
        except Invalid:
            return None

    def _day_of_row(self) -> exp.Expr:
        time = exp.cast(quoted(self._asking.metrics[0].time or ""), exp.DType.DATE)
        return exp.func("coalesce", time, day_literal(NO_DAY))


def parquet_source(paths: Sequence[str]) -> Source:
    """Files of a log."""
    return Source("parquet", "the log", tuple(paths))


def day_literal(day: date) -> exp.Expr:
    """A day in a tree."""
    return exp.cast(exp.Literal.string(day.isoformat()), exp.DType.DATE)


def _empty(kind: str) -> exp.Expr:
    return exp.cast(exp.Null(), exp.DataType.build(kind, dialect="duckdb"))
