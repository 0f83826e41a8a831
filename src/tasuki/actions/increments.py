"""Comparing an experiment by what is kept of earlier days: only new files are read.

A file of a log is counted once, as a whole, when all of its rows lie before the day it is read on; rows of today are
read anew each time. What is kept is exact, so the result is that of reading everything (docs/decisions).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from glob import glob
from pathlib import Path

from sqlglot import exp

from tasuki.actions.measure import Asked, read, statistics_of
from tasuki.errors import Fault, Invalid, said
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.exposed import ARM, EXPOSURES, PRESENT, UNIT, exposed_table
from tasuki.metrics.increments import kept_units_tree, merged_tree, partial_tree
from tasuki.metrics.metric import Metric
from tasuki.metrics.reading import Reading
from tasuki.metrics.statistics import Statistics, statistics_from
from tasuki.stats.concern import Concern
from tasuki.store.files import held
from tasuki.store.increments import LOCK, Damaged, Kept, Mark, mark_of, new_part, part_of, read_kept, write_kept
from tasuki.warehouse import Source, Warehouse
from tasuki.warehouse.compacted import Ranges, Replaced, is_within, joined, ranges_of, replaced_by
from tasuki.warehouse.engine import quoted

EVENTS = "events"
_NO_DAY = date(1970, 1, 1)
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
    """What is known now, what was known at the end of each day, and the days that have rows or exposures."""

    statistics: Statistics
    metrics: tuple[BoundMetric, ...]
    days: tuple[tuple[date, Statistics], ...]
    seen: tuple[date, ...]
    concerns: tuple[Concern, ...]
    exposed: tuple[date, ...] = ()


def can_grow(metric: Metric, tables: Mapping[str, str]) -> bool:
    """Whether a metric's sums can be kept: its rows have a time, units are randomised, and its logs are Parquet."""
    logs = (tables.get(metric.table or "", ""), tables.get(EXPOSURES, ""))
    return (
        metric.time is not None
        and metric.cluster is None
        and all(one.endswith(".parquet") and "://" not in one for one in logs)
    )


def grow(warehouse: Warehouse, folder: Path, asking: Asking) -> Grown:
    """What is known of the arms after what is kept was brought up to today.

    Args:
        warehouse: DuckDB.
        folder: Where it is kept.
        asking: What is compared.

    Raises:
        Invalid: The metrics do not fit, or everything must be read anew and files that were read are gone.
    """
    with held(folder / LOCK):
        return _Growth(warehouse, folder, asking).run()


def require_segments(segments: Sequence[str], columns: Mapping[str, str], table: str) -> None:
    """Raises `Invalid` naming every segment that the table has no column of."""
    faults = [
        Fault(name, said("is no column of {table}", table=table), ", ".join(columns))
        for name in segments
        if name not in columns
    ]
    if faults:
        raise Invalid("the segments cannot be compared", faults)


class _Growth:
    """One run: what is there, what is new, what is kept of it."""

    def __init__(self, warehouse: Warehouse, folder: Path, asking: Asking) -> None:
        self._warehouse = warehouse
        self._folder = folder
        self._asking = asking
        self._patterns = {EXPOSURES: asking.tables[EXPOSURES], EVENTS: asking.tables[asking.metrics[0].table or ""]}
        self._marks = {
            name: {path: mark_of(path) for path in sorted(glob(pattern, recursive=True))}  # noqa: PTH207 - a Path cannot hold an absolute pattern
            for name, pattern in self._patterns.items()
        }
        large = {path: replaced_by(Path(path)) for path in self._marks[EXPOSURES]}
        self._replaced = {path: one for path, one in large.items() if one is not None}
        self._mine = exp.EQ(this=quoted("experiment"), expression=exp.Literal.string(asking.experiment))

    def run(self) -> Grown:
        kept, why = self._usable()
        concerns = [_read_anew(why)] if why else []
        gone = self._gone(kept)
        if gone:
            concerns.append(_source_gone(gone))
        pending = {
            name: [one for one in marks if not kept or one not in kept.files[name]]
            for name, marks in self._marks.items()
        }
        spans = self._spans(pending)
        until = self._until(kept, spans)
        folded = {
            name: [one for one in files if _is_before(spans[name].get(one), until)] for name, files in pending.items()
        }
        columns = self._columns(kept, pending[EVENTS])
        exposures = self._exposures(kept, pending[EXPOSURES])
        step = _Step(self._warehouse, self._asking, columns, exposures)
        sums = None if kept is None else self._part(kept, "units")
        sums, days = step.fold(sums, folded[EVENTS], (kept.until if kept else None, until))
        open_files = [one for one in pending[EVENTS] if one not in folded[EVENTS]]
        statistics = step.statistics(step.added(sums, step.partial(open_files, None)), None)
        if folded[EVENTS] or folded[EXPOSURES] or kept is None or kept.until != until:
            # Last, since it removes the parts that were read here.
            self._keep(kept, until, columns, folded, (step, sums, days))
        earlier = kept.days if kept else ()
        path = [(date.fromisoformat(one["day"]), statistics_from(one["statistics"])) for one in earlier]
        path += days
        exposed = tuple(step.days_of_exposures())
        seen = {*[day for day, _ in path], *exposed, *step.days_of_rows(open_files)}
        is_open = bool(open_files) or len(folded[EXPOSURES]) < len(pending[EXPOSURES])
        # Late rows belong to days whose point stays as it was; the last point is always what is known now.
        path = (
            [*path, (self._asking.today, statistics)]
            if is_open or not path
            else [*path[:-1], (path[-1][0], statistics)]
        )
        days_seen = tuple(sorted(one for one in seen if one > _NO_DAY))
        return Grown(statistics, step.reading.metrics, tuple(path), days_seen, tuple(concerns), exposed)

    def _usable(self) -> tuple[Kept | None, str]:
        """What is kept, if it can be used, and else why everything is read anew."""
        if self._asking.rebuild:
            return None, ""
        try:
            kept = read_kept(self._folder)
        except Damaged as error:
            return None, f"what was kept is damaged: {error}"
        if kept is None:
            return None, ""
        kept = self._renamed(kept)
        why = self._why_not(kept)
        gone = self._gone(kept)
        if why and gone:
            raise Invalid(
                said(
                    "everything must be read anew ({why}), and {count:,} file(s) that were read are gone",
                    why=why,
                    count=len(gone),
                ),
                [Fault(one, "is gone") for one in gone[:3]],
                expected="every file of the experiment",
                next_step="bring the files back, or count only what is there with --rebuild",
            )
        return (None, why) if why else (kept, "")

    def _why_not(self, kept: Kept) -> str:
        if kept.key != self._asking.key:
            return "the metrics' definitions changed"
        for name, marks in self._marks.items():
            changed = [one for one, mark in kept.files[name].items() if marks.get(one, mark) != mark]
            if changed:
                return f"{changed[0]} changed after it was read"
        new = {name: [one for one in marks if one not in kept.files[name]] for name, marks in self._marks.items()}
        if new[EVENTS]:
            columns = self._warehouse.columns(_source(new[EVENTS]))
            if any(columns.get(name) != kind for name, kind in kept.columns.items()):
                return "the table's columns changed"
        late = self._warehouse.days_by_file(new[EXPOSURES], "at", self._mine)
        if any(days and days[0] < kept.until for days in late.values()):
            return f"exposures from before {kept.until} arrived late"
        return ""

    def _gone(self, kept: Kept | None) -> list[str]:
        if kept is None:
            return []
        there = list(self._replaced.values())
        return [
            one
            for name, files in kept.files.items()
            for one in files
            if one not in self._marks[name] and not any(large.covers(Path(one).name) for large in there)
        ]

    def _renamed(self, kept: Kept) -> Kept:
        """What is kept, with each large file in the place of the small ones that it was made of, where all are known.

        Compaction gives counted rows another file; nothing of them is new, and none of them is late.
        """
        files = dict(kept.files[EXPOSURES])
        for path, large in self._replaced.items():
            if path not in files and is_within(large.segments, self._segments_of(files, large)):
                files = {one: mark for one, mark in files.items() if not large.covers(Path(one).name)}
                files[path] = self._marks[EXPOSURES][path]
        return replace(kept, files={**kept.files, EXPOSURES: files})

    def _segments_of(self, files: Mapping[str, Mark], large: Replaced) -> Ranges:
        """The small segments whose rows are in some files, whether these are there or a large one replaced them."""
        known = {Path(path).name: one.segments for path, one in self._replaced.items()} | dict(large.files)
        names = [Path(one).name for one in files]
        return joined([ranges_of(names), *(known[name] for name in names if name in known)])

    def _spans(self, pending: Mapping[str, list[str]]) -> dict[str, dict[str, list[date]]]:
        time = self._asking.metrics[0].time or ""
        return {
            EXPOSURES: self._warehouse.days_by_file(pending[EXPOSURES], "at", self._mine),
            EVENTS: self._warehouse.days_by_file(pending[EVENTS], time),
        }

    def _until(self, kept: Kept | None, spans: Mapping[str, Mapping[str, list[date]]]) -> date:
        """The first day that some file which is not complete has rows of; never earlier than before."""
        days = [one for files in spans.values() for one in files.values() if one]
        until = self._asking.today
        while True:
            sooner = min((first for first, last in days if last >= until), default=until)
            if sooner >= until:
                return max(until, kept.until) if kept else until
            until = sooner

    def _columns(self, kept: Kept | None, pending: Sequence[str]) -> dict[str, str]:
        if kept is not None:
            return dict(kept.columns)
        return self._warehouse.columns(
            _source(pending) if pending else Source("table", self._asking.metrics[0].table or "")
        )

    def _exposures(self, kept: Kept | None, pending: Sequence[str]) -> exp.Table:
        """Every exposure of the experiment that is known, logged once each."""
        names = ["experiment", "unit", "arm", *(["exposure"] if self._asking.metrics[0].exposure else [])]
        columns = [quoted(one) for one in names]
        parts: list[exp.Expr] = [] if kept is None else [self._part(kept, "exposures")]
        if pending:
            parts.append(
                exp.select(*columns, quoted("at"))
                .from_(self._warehouse.table(_source(pending)))
                .where(self._mine)
                .subquery("n")
            )
        if not parts:
            parts.append(self._warehouse.table(Source("table", EXPOSURES)))
        whole: exp.Expr = exp.select(*columns, quoted("at")).from_(parts[0])
        for part in parts[1:]:
            whole = exp.union(whole, exp.select(*columns, quoted("at")).from_(part), distinct=False)
        first = exp.Alias(this=exp.Min(this=quoted("at")), alias=exp.to_identifier("at", quoted=True))
        once = exp.select(*columns, first).from_(
            exp.Subquery(this=whole, alias=exp.TableAlias(this=exp.to_identifier("w")))
        )
        return self._warehouse.materialize(once.group_by(*[one.copy() for one in columns]))

    def _part(self, kept: Kept, what: str) -> exp.Table:
        return self._warehouse.table(_source([str(self._folder / kept.parts[what][0])]))

    def _keep(
        self, kept: Kept | None, until: date, columns: Mapping[str, str], folded: Mapping[str, Sequence[str]],
        grown: "tuple[_Step, exp.Table | None, list[tuple[date, Statistics]]]",
    ) -> None:  # fmt: skip
        step, sums, days = grown
        paths = {what: new_part(self._folder, what) for what in ("units", "exposures")}
        self._warehouse.save(step.saved(sums), paths["units"])
        before = exp.LT(this=exp.cast(quoted("at"), exp.DType.DATE), expression=_day(until))
        self._warehouse.save(exp.select(exp.Star()).from_(step.exposures).where(before), paths["exposures"])
        files = {
            name: {**(kept.files[name] if kept else {}), **{one: self._marks[name][one] for one in folded[name]}}
            for name in self._marks
        }
        told = [{"day": day.isoformat(), "statistics": asdict(one)} for day, one in days]
        parts = {what: part_of(path) for what, path in paths.items()}
        earlier = list(kept.days) if kept else []
        write_kept(self._folder, Kept(self._asking.key, until, columns, files, parts, [*earlier, *told]))


class _Step:
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
        rows = exp.select(exp.Star()).from_(self._warehouse.table(_source(files)))
        if day is not None:
            rows = rows.where(exp.EQ(this=self._day_of_row(), expression=_day(day)))
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
            until = exp.LTE(this=exp.cast(quoted("at"), exp.DType.DATE), expression=_day(day))
            exposures = exp.select(exp.Star()).from_(exposures.copy()).where(until).subquery("x")
        kept = sums if sums is not None else self.saved(None).subquery("k")
        units = kept_units_tree(exposures, kept, self.reading)
        return statistics_of(self._warehouse, replace(self.reading, units=units), self._asking.alpha)

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
        rows = self._warehouse.rows(exp.select(day).distinct().from_(self._warehouse.table(_source(files))))
        return sorted(row["day"] for row in rows)

    def _statistics_on(self, sums: exp.Table | None, day: date) -> Statistics | None:
        """What was known at the end of a day; None where nothing could be compared yet."""
        try:
            return self.statistics(sums, day)
        except Invalid:
            return None

    def _day_of_row(self) -> exp.Expr:
        time = exp.cast(quoted(self._asking.metrics[0].time or ""), exp.DType.DATE)
        return exp.func("coalesce", time, _day(_NO_DAY))


def _is_before(days: list[date] | None, until: date) -> bool:
    return not days or days[-1] < until


def _source(paths: Sequence[str]) -> Source:
    return Source("parquet", "the log", tuple(paths))


def _day(day: date) -> exp.Expr:
    return exp.cast(exp.Literal.string(day.isoformat()), exp.DType.DATE)


def _empty(kind: str) -> exp.Expr:
    return exp.cast(exp.Null(), exp.DataType.build(kind, dialect="duckdb"))


def _read_anew(why: str) -> Concern:
    return Concern("read_anew", "info", f"Every day was read anew: {why}.", {"why": why})


def _source_gone(gone: Sequence[str]) -> Concern:
    message = f"{len(gone):,} file(s) that were read earlier are no longer there; their rows stay counted."
    return Concern("kept_without_source", "info", message, {"files": len(gone), "first": gone[0]})
