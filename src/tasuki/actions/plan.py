"""Planning the size of an experiment, from given numbers or from the team's own data."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasuki.actions.measure import Asked, measure
from tasuki.errors import Fault, Invalid
from tasuki.experiments.sizing import Baseline, Plan, PlanKind, Wish, equal_shares, size_experiment
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Covariate, Metric
from tasuki.metrics.statistics import Sample
from tasuki.stats.adjustment import adjusted, coefficients, unadjusted
from tasuki.warehouse import Warehouse, source_of

if TYPE_CHECKING:
    from sqlglot import exp

EVERYONE = "tasuki everyone"


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
    units: int | None = None,
    units_per_day: float | None = None,
    allocation: float = 1.0,
    data: Any = None,
    numerator: str | None = None,
    denominator: str | None = None,
    unit: str | None = None,
    covariates: Sequence[str] = (),
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
        units: Units of all arms: asks for the effect that they can show, instead of `mde`.
        units_per_day: Units that could take part each day; without it there are no days.
        allocation: The share of them that takes part.
        data: A file, table or frame of the past to learn baseline and variance from.
        numerator: Its column (or SQL expression), also for a mean or proportion.
        denominator: Its column below the line of a ratio.
        unit: Its column of the unit, when rows are events.
        covariates: Its columns that variance will be taken out with.
        tables: Tables of a workspace that `data` may name.

    Raises:
        Invalid: What cannot be planned: every fault at once.
        Missing: There is no such file or table.
    """
    wish = Wish(mde, relative, power, alpha, equal_shares(arms), units, units_per_day, allocation)
    if data is None:
        if baseline is None:
            raise Invalid("nothing can be planned", [Fault("baseline", "missing", "the metric today, or data")])
        return size_experiment(Baseline(kind, baseline, variance), wish)
    if numerator is None:
        raise Invalid("nothing can be learnt from the data", [Fault("numerator", "missing", "a column")])
    metric = Metric("metric", kind, numerator, denominator, covariates=tuple(Covariate(one) for one in covariates))
    warehouse = Warehouse(tables)
    try:
        source = source_of(data)
        warehouse.require_columns(source, [unit] if unit else [])
        columns = warehouse.columns(source)
        learnt = learn_baseline(warehouse, warehouse.table(source), columns, (metric, unit))
    finally:
        warehouse.close()
    known = Baseline(kind, learnt.value if baseline is None else baseline, variance or learnt.variance)
    return size_experiment(Baseline(kind, known.value, known.variance, learnt.variance_reduction), wish)


def learn_baseline(
    warehouse: Warehouse, table: "exp.Expr", columns: Mapping[str, str], what: tuple[Metric, str | None]
) -> Baseline:
    """What a table of the past says of a metric, whoever was in which arm.

    Args:
        warehouse: The engine.
        table: The table.
        columns: Its columns and their types.
        what: The metric, and the column of the unit when rows are events.
    """
    from sqlglot import exp

    everyone = exp.Alias(this=exp.Literal.string("all"), alias=exp.to_identifier(EVERYONE, quoted=True))
    whole = exp.select(exp.Star(), everyone).from_(table.copy()).subquery("past")
    metric, unit = what
    statistics, bound = measure(warehouse, whole, columns, Asked(EVERYONE, unit, (), (metric,)), alpha=0.05)
    cell = next((one for one in statistics.cells if one.segment is None), None)
    if cell is None or cell.samples[0].moments.n < 2:
        raise Invalid("there is nothing to learn from", [Fault(metric.name, "fewer than two units have a value")])
    return _baseline(bound[0], cell.samples[0])


def _baseline(bound: BoundMetric, sample: Sample) -> Baseline:
    moments = sample.moments.ratios(bound.ratios)
    plain = unadjusted(moments)
    kind: PlanKind = "ratio" if bound.metric.kind == "ratio" else "proportion"
    if bound.metric.kind in ("mean", "quantile"):
        kind = "mean"
    if len(moments.means) == 1 or plain.variance == 0:
        return Baseline(kind, plain.mean, plain.variance)
    better = adjusted(moments, coefficients(moments), moments.means[1:])
    return Baseline(kind, plain.mean, plain.variance, 1 - better.variance / plain.variance)
