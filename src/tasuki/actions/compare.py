"""A/B 2 on a file, table or data frame in one call: is it better?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasuki.actions.daily import NO_PATH, doubts_about_window, measure_path
from tasuki.actions.measure import Asked, moment_faults, read
from tasuki.actions.passes import engine_share, measure_within, parts_of
from tasuki.actions.spread import histograms_of
from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.compare import compare_arms
from tasuki.experiments.comparison import Comparison
from tasuki.experiments.daily_path import doubts_about_days
from tasuki.experiments.design import TYPICAL_SOURCE, Adjustment, Design, Method
from tasuki.experiments.options import Named, metrics_named
from tasuki.metrics.bins import Histogram
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Statistics, limits_in
from tasuki.metrics.window import Window
from tasuki.stats.bootstrap import FEW_UNITS, MOST_UNITS
from tasuki.stats.false_win import TYPICAL_PRIOR
from tasuki.stats.group_sequential import Spending
from tasuki.stats.sequential import DEFAULT_TUNING
from tasuki.warehouse import open_engine, source_of
from tasuki.warehouse.engine import DUCKDB


def compare(
    data: Any,
    *,
    variant: str,
    control: str | bool | int | None = None,
    unit: str | None = None,
    means: Sequence[str] = (),
    proportions: Sequence[str] = (),
    ratios: Sequence[tuple[str, str] | str] = (),
    quantiles: Sequence[tuple[str, float] | str] = (),
    covariates: Mapping[str, Sequence[str | tuple[str, str]]] | None = None,
    margins: Mapping[str, float | str] | None = None,
    decrease: Sequence[str] = (),
    winsor: Mapping[str, float | str] | None = None,
    filters: Mapping[str, str] | None = None,
    cluster: str | None = None,
    time: str | None = None,
    window_hours: float | None = None,
    segments: Sequence[str] = (),
    split: Mapping[str, float] | None = None,
    alpha: float = 0.05,
    adjust: Adjustment = "holm",
    sequential: bool = False,
    tuning: int | None = None,
    looks: Sequence[float] = (),
    planned_units: int | None = None,
    spending: Spending = "obrien_fleming",
    stratum: str | None = None,
    method: Method = "auto",
    prior: float | None = None,
    prior_source: str | None = None,
    distributions: bool = False,
    tables: Mapping[str, str] | None = None,
    memory_limit_mb: int | None = None,
    engine: str = "duckdb",
) -> Comparison:
    """Compares the arms of an A/B test.

    Use it on one table that has a row per unit, or with `unit` on a table of events, which are then summed to units.

    Args:
        data: A path (CSV, .gz, Parquet, folder or glob), a pandas, Polars or PyArrow table, or a DuckDB relation.
        variant: The column that says which arm a unit was in.
        control: The arm that the others are compared with; guessed from its name, and said so, when None.
        unit: The column of what was randomised, when rows are events.
        means: Columns, or SQL expressions over columns, whose mean per unit is compared.
        proportions: Columns of 0/1 or true/false; with `unit`, whether it happened at all.
        ratios: Numerator and denominator of each ratio of sums, as ("clicks", "views") or "clicks/views".
        quantiles: Column and quantile, as ("revenue", 0.9) or "revenue@0.9".
        covariates: By metric, columns known before the experiment that variance is taken out with (CUPED).
        margins: By metric, the loss that is accepted (a guardrail): an amount, or text like "2%" of control.
        decrease: Metrics that are better when they fall.
        winsor: By metric, the ends that a unit's value is held within: an upper end, or "LOWER:UPPER", each an amount
            or a quantile of the units of all arms together, as "99%" or "0:500".
        filters: By metric, an SQL condition that rows must fulfil to count.
        cluster: The column of what was randomised, where that is coarser than a unit: units of one cluster depend on
            each other, and intervals say so.
        time: The column of a row's moment: of the event, or, where rows are units, of when the unit came in. With it
            `.daily` tells each effect day by day, and days without a row are a concern.
        window_hours: How long after a unit's first row its events count; needs `time`.
        segments: Columns by whose values the comparison is repeated.
        split: The planned share of each arm; equal when None.
        alpha: Two-sided level, in (0, 1).
        adjust: How p-values are adjusted for several metrics and arms: `none`, `holm` or `bh`.
        sequential: Always-valid intervals and p-values, for looking before the planned end.
        tuning: Units at which always-valid intervals are narrowest, fixed before the first look; 5,000 when None.
        looks: Planned looks as shares of the planned units, rising to 1, as (0.25, 0.5, 0.75, 1): a group-sequential
            design, whose intervals and p-values are right at those looks.
        planned_units: Units of all arms at its end.
        spending: How its looks share alpha: `obrien_fleming` or `pocock`.
        stratum: A column known before the start; arms are compared within its values, which are weighed by their share.
        method: `bootstrap` draws the intervals of means and ratios from the units' values (at most 100,000 units);
            `auto` does so only for few units (2,000) in arms too unequal and skewed for Student's t.
        prior: The share of ideas that truly improve, for the false-win risk; the field's typical 15 % when None.
        prior_source: Where the prior comes from, in words.
        distributions: Whether to bin the values of each metric as well, for a report; it takes two queries more.
        tables: Tables of a workspace that `data` may name.
        memory_limit_mb: What the whole process may use: units of events are counted in as many passes as that needs,
            and the engine spills to disk before it takes more. For quantiles the units of each pass go to a temporary
            file.
        engine: `duckdb`, `spark`, or a Spark master, as `spark://host:7077`.

    Returns:
        The comparison, with `.results`, `.srm`, `.concerns`, `.recommendation`, `.to_json()`, and a table in a
        notebook.

    Raises:
        Invalid: The question does not fit the data: every fault at once.
        Missing: There is no such file or table.
        Unavailable: The engine is not installed or does not answer.
    """
    _require_lists({"means": means, "proportions": proportions, "ratios": ratios, "quantiles": quantiles,
                    "decrease": decrease, "segments": segments, "looks": looks, **{
                        f"covariates {name}": one for name, one in (covariates or {}).items()}})  # fmt: skip
    design = Design(
        control=_as_arm(control),
        shares=split,
        alpha=alpha,
        adjust=adjust,
        sequential=sequential,
        tuning=DEFAULT_TUNING if tuning is None else tuning,
        prior=TYPICAL_PRIOR if prior is None else prior,
        prior_source=prior_source or (TYPICAL_SOURCE if prior is None else "given"),
        stratum=stratum,
        segments=tuple(segments),
        looks=tuple(looks),
        spending=spending,
        planned_units=planned_units,
        method=method,
    )
    given = Named(
        means, proportions, ratios, quantiles, covariates or {}, margins or {}, decrease, winsor or {}, filters or {}
    )
    faults = design.faults()
    if time is None and window_hours is not None:
        faults.append(Fault("time", "missing: a window counts from moments", "the column of the moment"))
    metrics = metrics_named(given, faults)
    if stratum is not None and stratum in (variant, unit):
        faults.append(
            Fault(
                "stratum",
                said("{stratum!r} is the arm or the unit", stratum=stratum),
                "what was known before the start",
            )
        )
    if faults:
        raise Invalid("the comparison cannot be made", faults)
    warehouse = open_engine(engine, tables, engine_share(memory_limit_mb))
    memory = memory_limit_mb if engine == DUCKDB else None
    try:
        source = source_of(data)
        groups = tuple(dict.fromkeys([*segments, *([stratum] if stratum else [])]))
        warehouse.require_columns(source, [variant, *filter(None, (unit, cluster, time)), *groups])
        window = None if time is None or window_hours is None else Window(time, window_hours)
        asked = Asked(variant, unit, groups, metrics, most_values=_most_values(design), cluster=cluster,
                      window=window)  # fmt: skip
        table, columns = warehouse.table(source), warehouse.columns(source)
        if time is not None and (off := moment_faults(time, columns)):
            raise Invalid("the column of the moment cannot be used", off)
        statistics, bound = measure_within(warehouse, table, columns, asked, (alpha, memory))
        warehouse.require_everywhere(source, _used(asked, time, bound))
        parts = parts_of(warehouse, table, asked, memory) if time is not None else []
        path = measure_path(warehouse, parts, columns, (asked, time), (statistics, bound)) if time else NO_PATH
        late = doubts_about_window(warehouse, table, asked)
        spread: tuple[Histogram, ...] = ()
        if distributions:
            reading = read(warehouse, table, columns, asked)
            spread = histograms_of(warehouse, reading.within(limits_in(statistics)))
    finally:
        warehouse.close()
    _require_values(statistics, design)
    comparison = compare_arms(statistics, bound, design, (*doubts_about_days(path.seen), *path.concerns, *late))
    return replace(path.on(comparison, design), distributions=spread)


def _require_lists(given: Mapping[str, object]) -> None:
    """A text is a sequence too: of its letters, which nobody means."""
    faults = [
        Fault(name, said("is the text {text!r}", text=one), said("a list, as [{text!r}]", text=one))
        for name, one in given.items()
        if isinstance(one, str)
    ]
    if faults:
        raise Invalid("the comparison cannot be made", faults)


def _used(asked: Asked, time: str | None, metrics: Sequence[BoundMetric]) -> list[str]:
    """The columns that an answer is made of."""
    named = [asked.variant, *filter(None, (asked.unit, asked.cluster, time)), *asked.segments]
    return [*named, *(name for one in metrics for name in one.columns)]


def asked_of(
    given: Named, columns: tuple[str, str | None, tuple[str, ...], str | None], window: tuple[str | None, float | None]
) -> Asked:
    """The question that the options of a comparison ask.

    Args:
        given: The metrics.
        columns: Of the arm, the unit, the segments and the cluster.
        window: The column of time, and hours.

    Raises:
        Invalid: With every fault at once.
    """
    faults: list[Fault] = []
    metrics, (time, hours) = metrics_named(given, faults), window
    if time is None and hours is not None:
        faults.append(Fault("time", "missing: a window counts from moments", "the column of the moment"))
    if faults:
        raise Invalid("the comparison cannot be made", faults)
    variant, unit, segments, cluster = columns
    counted = None if time is None or hours is None else Window(time, hours)
    return Asked(variant, unit, segments, metrics, cluster=cluster, window=counted)


def _most_values(design: Design) -> int:
    """Up to how many units their values are fetched; they are of no use under a rule for looks or within strata."""
    if design.sequential or design.looks or design.stratum:
        return 0
    return MOST_UNITS if design.method == "bootstrap" else FEW_UNITS


def _require_values(statistics: Statistics, design: Design) -> None:
    units = sum(cell.units for cell in statistics.cells if cell.segment is None)
    if design.method == "bootstrap" and units > MOST_UNITS:
        raise Invalid(
            said("{units:,} units are too many to draw from", units=units),
            expected=said("at most {most_units:,}; with more, Student's t is as good", most_units=MOST_UNITS),
            next_step="leave the method to tasuki (auto)",
        )


def _as_arm(control: str | bool | int | None) -> str | None:
    """An arm's name as the engine writes the column's value: a notebook says `control=0` of a column of 0 and 1."""
    return str(control).lower() if isinstance(control, bool) else None if control is None else str(control)
