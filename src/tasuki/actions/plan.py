"""Planning the size of an experiment, from given numbers or from the team's own data."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasuki.actions.measure import Asked, limited, measure, read
from tasuki.errors import Fault, Invalid, Missing, said
from tasuki.experiments.aa import AAResult, AASplits, simulate_aa
from tasuki.experiments.holidays import Holiday, planned_window, read_holidays
from tasuki.experiments.options import covariates_of
from tasuki.experiments.sizing import (
    LONGEST_DAYS,
    Baseline,
    Looking,
    Plan,
    PlanKind,
    Wish,
    achieved_power,
    equal_shares,
    size_experiment,
)
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.compile import units_tree
from tasuki.metrics.declared import treatment_faults
from tasuki.metrics.levels import cluster_tree
from tasuki.metrics.metric import Metric
from tasuki.metrics.reading import Reading
from tasuki.metrics.statistics import Sample
from tasuki.metrics.window import Window
from tasuki.metrics.winsor import read_winsor
from tasuki.stats.adjustment import adjusted, coefficients, unadjusted
from tasuki.warehouse import Warehouse, source_of

if TYPE_CHECKING:
    from sqlglot import exp

EVERYONE = "tasuki everyone"


@dataclass(frozen=True)
class Past:
    """What a metric is learnt from.

    Args:
        data: A file, table or frame of the past.
        metric: The metric in it.
        unit: Its column of the unit, when rows are events.
        tables: Tables of a workspace that `data` may name.
    """

    data: Any
    metric: Metric
    unit: str | None
    tables: Mapping[str, str] | None


def plan(
    *,
    kind: PlanKind,
    baseline: float | None = None,
    variance: float | None = None,
    mde: float | None = None,
    relative: bool = False,
    power: float = 0.8,
    alpha: float = 0.05,
    arms: int = 2,
    split: Sequence[float] = (),
    units: int | None = None,
    units_per_day: float | None = None,
    allocation: float = 1.0,
    looking: Looking = "none",
    looks: Sequence[float] = (),
    label_delay_days: int = 0,
    start: date | None = None,
    holidays: Sequence[Holiday] = (),
    data: Any = None,
    numerator: str | None = None,
    denominator: str | None = None,
    unit: str | None = None,
    covariates: Sequence[str | tuple[str, str]] = (),
    cluster: str | None = None,
    winsor: float | str | None = None,
    aa: int = 0,
    tables: Mapping[str, str] | None = None,
) -> Plan:
    """How many units and days an effect needs, or what effect so many units can show.

    Args:
        kind: `mean`, `proportion` or `ratio`.
        baseline: The metric today; learnt from `data` when None.
        variance: The variance of a unit; follows from the baseline for a proportion, learnt from `data` otherwise.
        mde: The smallest effect worth finding.
        relative: Whether `mde` is a share of the baseline.
        power: Chance to find it.
        alpha: Two-sided level over all arms.
        arms: Arms of equal size, control among them.
        split: Each arm's share instead, control first.
        units: Units of all arms: asks for the effect that they can show, instead of `mde`.
        units_per_day: Units that could take part each day; without it there are no days.
        allocation: The share of them that takes part.
        looking: How often people look before the end: `none`, `always_valid`, or `group_sequential` at `looks`.
        looks: The planned looks, as shares of the units, the last one 1.
        label_delay_days: Days until the outcome of an exposure is known for good: they come on top of the days.
        start: The first day, so that holidays in the planned days are shown and the next clean ones named.
        holidays: Days on which people behave otherwise (see `tasuki.experiments.holidays.read_holidays`).
        data: A file, table or frame of the past to learn baseline and variance from.
        numerator: Its column (or SQL expression), also for a mean or proportion.
        denominator: Its column below the line of a ratio.
        unit: Its column of the unit, when rows are events.
        covariates: Its columns that variance will be taken out with; a pair is a ratio of two sums.
        cluster: Its column of what is randomised, where that is coarser than a unit: the units of the plan are then
            clusters, and units that depend on each other are sized as such.
        winsor: The ends that a unit's value is held within, as "99%" or "0:500".
        aa: How many times its units are split by the assignment's hash and compared, to see whether the analysis can
            be trusted on this data; 0 for not at all.
        tables: Tables of a workspace that `data` may name.

    Raises:
        Invalid: What cannot be planned: every fault at once.
        Missing: There is no such file or table.
    """
    shares = tuple(split) or equal_shares(arms)
    wish = Wish(
        mde=mde,
        is_relative=relative,
        power=power,
        alpha=alpha,
        shares=shares,
        units=units,
        units_per_day=units_per_day,
        allocation=allocation,
        looking=looking,
        looks=tuple(looks),
        label_delay_days=label_delay_days,
    )
    if data is None:
        faults = [Fault("baseline", "missing", "the metric today, or data")] if baseline is None else []
        faults += [Fault("aa", "has nothing to split", "data of the past")] if aa else []
        told = {"cluster": cluster, "winsor": winsor}
        faults += [
            Fault(name, "has no rows to hold for", "data of the past") for name in told if told[name] is not None
        ]
        if faults or baseline is None:
            raise Invalid("nothing can be planned", faults)
        return placed(size_experiment(Baseline(kind, baseline, variance), wish), start, holidays)
    if numerator is None:
        raise Invalid("nothing can be learnt from the data", [Fault("numerator", "missing", "a column")])
    faults = []
    ends = None if winsor is None else read_winsor(winsor, "winsor", faults)
    metric = Metric("metric", kind, numerator, denominator, covariates=covariates_of(covariates),
                    cluster=cluster, winsor=ends)  # fmt: skip
    faults += treatment_faults(metric)
    if faults:
        raise Invalid("nothing can be learnt from the data", faults)
    past = Past(data, metric, unit, tables)
    sized = _plan_from(past, Baseline(kind, baseline or nan, variance), wish, aa)
    return placed(sized, start, holidays)


def _plan_from(past: Past, given: Baseline, wish: Wish, splits: int) -> Plan:
    """The plan on data of the past: what was given, and what was learnt of the rest."""
    warehouse = Warehouse(past.tables)
    try:
        source = source_of(past.data)
        warehouse.require_columns(source, [one for one in (past.unit, past.metric.cluster) if one])
        table, columns = warehouse.table(source), warehouse.columns(source)
        what = (past.metric, past.unit)
        learnt = learn_baseline(warehouse, table, columns, what)
        value = learnt.value if isnan(given.value) else given.value
        known = Baseline(given.kind, value, given.variance or learnt.variance, learnt.variance_reduction)
        sized = size_experiment(known, wish)
        if not splits:
            return sized
        # What is simulated is the data as it is: the power is that of its own units, not of the planned ones.
        simulated = AASplits(splits, wish.shares, wish.alpha, sized.mde)
        shown = simulate_on(warehouse, table, columns, what, simulated)
        plain = replace(wish, mde=sized.mde, is_relative=False, units=None, looking="none")
        return replace(sized, aa=replace(shown, analytic_power=achieved_power(known, plain, shown.units)))
    finally:
        warehouse.close()


def placed(sized: Plan, start: date | None, holidays: Sequence[Holiday]) -> Plan:
    """The plan in the calendar, where a first day was named and the days are known."""
    if start is None or sized.whole_weeks_days is None or sized.whole_weeks_days > LONGEST_DAYS:
        return sized
    window = planned_window(start, sized.whole_weeks_days, sized.label_delay_days, holidays)
    return replace(sized, window=window)


def read_calendar_file(path: Path) -> tuple[Holiday, ...]:
    """The holidays in a calendar file.

    Raises:
        Missing: There is no such file.
        Invalid: It cannot be used; every fault at once.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(
            said("there is no calendar {path}", path=path), expected="a TOML file with [[holiday]] entries"
        ) from None
    except (OSError, ValueError) as error:
        raise Invalid(
            said("{path} cannot be read", path=path), [Fault(str(path), str(error), "TOML in UTF-8")]
        ) from error
    return read_holidays(document)


def simulate_on(
    warehouse: Warehouse,
    table: "exp.Expr",
    columns: Mapping[str, str],
    what: tuple[Metric, str | None],
    asked: AASplits,
) -> AAResult:
    """Splits the units of a table of the past again and again, and compares them.

    Args:
        warehouse: The engine.
        table: The table.
        columns: Its columns and their types.
        what: The metric, and the column of the unit when rows are events.
        asked: How often, in which arms, with which effect.
    """
    import numpy as np

    metric, unit = what
    reading = limited(warehouse, read(warehouse, _whole(table), columns, _asked_of(metric, unit)))
    bound = reading.metrics
    found = warehouse.fetch(_clusters_tree(reading) if metric.cluster else units_tree(reading))
    names = [f"y0_{j}" for j in range(len(bound[0].variables))]
    values = np.column_stack([found.column(name).to_numpy().astype(float) for name in names])
    # A row that is a unit has no name of its own: its place stands for it.
    units = list(map(str, range(len(values)))) if not reading.is_grouped else found.column("unit").to_pylist()
    return simulate_aa(units, values, bound[0], asked)


def _asked_of(metric: Metric, unit: str | None) -> Asked:
    """The metric as a comparison would count it: over clusters, and within its window where events are counted."""
    is_windowed = unit is not None and metric.time is not None and metric.window_hours is not None
    window = Window(metric.time or "", metric.window_hours or 0.0) if is_windowed else None
    return Asked(EVERYONE, unit, (), (metric,), cluster=metric.cluster, window=window)


def _clusters_tree(reading: Reading) -> "exp.Select":
    from sqlglot import exp

    from tasuki.metrics.trees import column, is_known, named

    name = named(exp.cast(column("cluster"), exp.DType.TEXT), "unit")
    return (
        exp.select(exp.Star()).from_(cluster_tree(reading).select(name).subquery("k")).where(is_known(column("unit")))
    )


def learn_baseline(
    warehouse: Warehouse, table: "exp.Expr", columns: Mapping[str, str], what: tuple[Metric, str | None]
) -> Baseline:
    """What a table of the past says of a metric, whoever was in which arm.

    Args:
        warehouse: The engine.
        table: The table.
        columns: Its columns and their types.
        what: The metric, and the column of the unit when rows are events. With a cluster a "unit" of the answer is
            a cluster: what will be randomised.
    """
    metric, unit = what
    statistics, bound = measure(warehouse, _whole(table), columns, _asked_of(metric, unit), alpha=0.05)
    cell = next((one for one in statistics.cells if one.segment is None), None)
    if cell is None or cell.samples[0].moments.n < 2:
        raise Invalid("there is nothing to learn from", [Fault(metric.name, "fewer than two units have a value")])
    return _baseline(bound[0], cell.samples[0])


def _whole(table: "exp.Expr") -> "exp.Expr":
    """The table with everybody in one arm."""
    from sqlglot import exp

    everyone = exp.Alias(this=exp.Literal.string("all"), alias=exp.to_identifier(EVERYONE, quoted=True))
    return exp.select(exp.Star(), everyone).from_(table.copy()).subquery("past")


def _baseline(bound: BoundMetric, sample: Sample) -> Baseline:
    moments = sample.moments.ratios(bound.ratios)
    plain = unadjusted(moments)
    kind: PlanKind = "ratio" if bound.metric.kind == "ratio" else "proportion"
    if bound.metric.kind in ("mean", "quantile"):
        kind = "mean"
    if len(moments.means) == 1 or plain.variance == 0:
        return Baseline(kind, plain.mean, plain.variance)
    better = adjusted(moments, coefficients(moments), moments)
    return Baseline(kind, plain.mean, plain.variance, 1 - better.variance / plain.variance)
