"""Comparing an experiment by what is kept of earlier days: only new files are read.

A file of a log is counted once, as a whole, when all of its rows lie before the day it is read on; rows of today are
read anew each time. What is kept is exact, so the result is that of reading everything (docs/decisions).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from glob import glob
from pathlib import Path

from sqlglot import exp

from tasuki.actions.exposed_rows import exposure_columns, row_columns
from tasuki.actions.kept_days import NO_DAY, Asking, Grown, Step, day_literal, parquet_source
from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.exposure_doubts import ColumnsMissing
from tasuki.metrics.exposed import EXPOSURES
from tasuki.metrics.metric import Metric
from tasuki.metrics.statistics import Statistics, statistics_from
from tasuki.stats.concern import Concern
from tasuki.store.files import held
from tasuki.store.increments import LOCK, Damaged, Kept, Mark, mark_of, new_part, part_of, read_kept, write_kept
from tasuki.warehouse import Source, Warehouse
from tasuki.warehouse.compacted import Ranges, Replaced, is_within, joined, ranges_of, replaced_by
from tasuki.warehouse.engine import quoted

EVENTS = "events"


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


@dataclass(frozen=True)
class _Told:
    """By day, how many rows follow from an exposure; by table, the files that lack columns."""

    rows: Mapping[date, int]
    lacking: Mapping[str, Mapping[str, Sequence[str]]]

    def with_kept(self, kept: Kept | None) -> "_Told":
        """The same with what was told of files that were read before."""
        if kept is None:
            return self
        earlier = Counter({date.fromisoformat(day): count for day, count in kept.rows.items()})
        lacking = {name: {**kept.lacking.get(name, {}), **files} for name, files in self.lacking.items()}
        return _Told(dict(earlier + Counter(self.rows)), lacking)


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
        step = Step(self._warehouse, self._asking, columns, self._exposures(kept, pending[EXPOSURES]))
        sums = None if kept is None else self._part(kept, "units")
        sums, days = step.fold(sums, folded[EVENTS], (kept.until if kept else None, until))
        open_files = [one for one in pending[EVENTS] if one not in folded[EVENTS]]
        statistics = step.statistics(step.added(sums, step.partial(open_files, None)), None)
        told = _Told(step.rows_by_day(folded[EVENTS]), self._lacking(step, pending))
        told = told.with_kept(kept)
        if folded[EVENTS] or folded[EXPOSURES] or kept is None or kept.until != until:
            # Last, since it removes the parts that were read here.
            self._keep(kept, until, columns, folded, (step, sums, days, told))
        path = self._path(kept, days)
        exposed = tuple(step.days_of_exposures())
        seen = {*[day for day, _ in path], *exposed, *step.days_of_rows(open_files)}
        is_open = bool(open_files) or len(folded[EXPOSURES]) < len(pending[EXPOSURES])
        # Late rows belong to days whose point stays as it was; the last point is always what is known now.
        now = (self._asking.today, statistics) if is_open or not path else (path[-1][0], statistics)
        return Grown(
            statistics,
            step.reading.metrics,
            (*(path if is_open else path[:-1]), now),
            tuple(sorted(one for one in seen if one > NO_DAY)),
            tuple(concerns),
            exposed,
            dict(Counter(told.rows) + Counter(step.rows_by_day(open_files))),
            self._missing(told.lacking),
        )

    def _path(self, kept: Kept | None, days: list[tuple[date, Statistics]]) -> list[tuple[date, Statistics]]:
        """What was known at the end of each day that is read as a whole."""
        earlier = kept.days if kept else ()
        return [(date.fromisoformat(one["day"]), statistics_from(one["statistics"])) for one in earlier] + days

    def _lacking(self, step: Step, pending: Mapping[str, list[str]]) -> dict[str, dict[str, list[str]]]:
        """By table, files that were not read before and lack columns that are read."""
        metrics = step.reading.metrics
        asked = {EXPOSURES: exposure_columns(metrics), EVENTS: row_columns(metrics, self._asking.segments)}
        return {name: self._warehouse.lacking_in(pending[name], columns) for name, columns in asked.items()}

    def _missing(self, lacking: Mapping[str, Mapping[str, Sequence[str]]]) -> ColumnsMissing:
        called = {EXPOSURES: EXPOSURES, EVENTS: self._asking.metrics[0].table or ""}
        return {called[name]: (files, len(self._marks[name])) for name, files in lacking.items() if files}

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
            columns = self._warehouse.columns(parquet_source(new[EVENTS]))
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
            parquet_source(pending) if pending else Source("table", self._asking.metrics[0].table or "")
        )

    def _exposures(self, kept: Kept | None, pending: Sequence[str]) -> exp.Table:
        """Every exposure of the experiment that is known, logged once each."""
        names = ["experiment", "unit", "arm", *(["exposure"] if self._asking.metrics[0].exposure else [])]
        columns = [quoted(one) for one in names]
        parts: list[exp.Expr] = [] if kept is None else [self._part(kept, "exposures")]
        if pending:
            parts.append(
                exp.select(*columns, quoted("at"))
                .from_(self._warehouse.table(parquet_source(pending)))
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
        return self._warehouse.table(parquet_source([str(self._folder / kept.parts[what][0])]))

    def _keep(
        self, kept: Kept | None, until: date, columns: Mapping[str, str], folded: Mapping[str, Sequence[str]],
        grown: "tuple[Step, exp.Table | None, list[tuple[date, Statistics]], _Told]",
    ) -> None:  # fmt: skip
        step, sums, days, known = grown
        paths = {what: new_part(self._folder, what) for what in ("units", "exposures")}
        self._warehouse.save(step.saved(sums), paths["units"])
        before = exp.LT(this=exp.cast(quoted("at"), exp.DType.DATE), expression=day_literal(until))
        self._warehouse.save(exp.select(exp.Star()).from_(step.exposures).where(before), paths["exposures"])
        files = {
            name: {**(kept.files[name] if kept else {}), **{one: self._marks[name][one] for one in folded[name]}}
            for name in self._marks
        }
        told = [{"day": day.isoformat(), "statistics": asdict(one)} for day, one in days]
        parts = {what: part_of(path) for what, path in paths.items()}
        earlier = list(kept.days) if kept else []
        rows = {day.isoformat(): count for day, count in known.rows.items()}
        days_told = [*earlier, *told]
        write_kept(self._folder, Kept(self._asking.key, until, columns, files, parts, days_told, rows, known.lacking))


def _is_before(days: list[date] | None, until: date) -> bool:
    return not days or days[-1] < until


def _read_anew(why: str) -> Concern:
    return Concern("read_anew", "info", f"Every day was read anew: {why}.", {"why": why})


def _source_gone(gone: Sequence[str]) -> Concern:
    message = f"{len(gone):,} file(s) that were read earlier are no longer there; their rows stay counted."
    return Concern("kept_without_source", "info", message, {"files": len(gone), "first": gone[0]})
