"""What followed from the exposures: outcomes, labels and their delays, calibration, and spend per unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

from tasuki.actions.training_table import TrainingTable
from tasuki.errors import Missing, TasukiError
from tasuki.experiments.check import Calibrated, LabelsSeen, SpendSeen, Thresholds
from tasuki.stats.contrast import Estimate

if TYPE_CHECKING:
    from sqlglot import exp

    from tasuki.actions.exposures import Exposures

_PARTS = 10
_OLD_ENOUGH = """
select count(*) as exposures, count_if(exposure in (select exposure from outcomes)) as with_outcome
from checked_exposures
where at <= (select max(at) from checked_exposures where exposure in (select exposure from outcomes))
"""
_FOLLOWED = """
select * from (
    select e.arm, e.score, e.fallback, epoch_us(:came) - epoch_us(o.at) as delay_us,
           coalesce(epoch_us(:came) - epoch_us(o.at), 0) <= :window_us and :label as positive
    from checked_exposures as e join outcomes as o on o.exposure = e.exposure
    where :counts and epoch_us(o.at) + :window_us <= (select max(epoch_us(at)) from outcomes)
) as f
"""
_SPEND = """
select arm, count(*) as n, avg(spent) as mean, var_samp(spent) as variance from (
    select e.unit, e.arm, cast(sum(:amount) as double) as spent
    from checked_exposures as e {join} group by e.unit, e.arm
) as u group by arm order by arm
"""
_JOIN = "left join outcomes as o on o.exposure = e.exposure"


@dataclass(frozen=True)
class Followed:
    """Labels, calibration and spend of an experiment's exposures; None or empty where no outcome says it."""

    labels: LabelsSeen | None
    calibrated: tuple[Calibrated, ...]
    spend: SpendSeen | None


def what_followed(exposures: "Exposures", limits: Thresholds, table: TrainingTable | None) -> Followed:
    """What the table of outcomes says of the exposures, by the columns that the model or the team names."""
    columns = _columns(exposures)
    if not {"exposure", "at"} <= set(columns):
        return Followed(None, (), _spend(exposures, ""))
    row = exposures.rows(_OLD_ENOUGH)[0]
    labels = LabelsSeen(row["exposures"], row["with_outcome"])
    calibrated: tuple[Calibrated, ...] = ()
    terms = _terms(columns, limits, table)
    if terms is not None and row["with_outcome"]:
        calibrated = _calibrated(exposures, terms)
        delays, positives = _delays(exposures, terms, table)
        labels = LabelsSeen(row["exposures"], row["with_outcome"], delays, positives)
    spent = limits.spend or ("spend" if "spend" in columns else "")
    return Followed(labels, calibrated, _spend(exposures, spent if spent in columns else ""))


@dataclass(frozen=True)
class _Terms:
    """Which columns of the outcomes say what, and the attribution window."""

    label: str
    came: str
    counts: str
    window_us: int

    def values(self) -> "dict[str, exp.Expr]":
        from sqlglot import exp

        from tasuki.warehouse.engine import quoted

        def of_outcome(name: str) -> exp.Column:
            column = quoted(name)
            column.set("table", exp.to_identifier("o"))
            return column

        boolean = exp.DType.BOOLEAN
        return {
            "label": exp.func("coalesce", exp.cast(of_outcome(self.label), boolean), exp.false()),
            "came": of_outcome(self.came) if self.came else exp.cast(exp.Null(), exp.DType.TIMESTAMPTZ),
            "counts": exp.cast(of_outcome(self.counts), boolean) if self.counts else exp.true(),
            "window_us": exp.Literal.number(self.window_us),
        }


def _columns(exposures: "Exposures") -> Mapping[str, str]:
    from tasuki.warehouse import source_of

    try:
        return exposures.warehouse.columns(source_of("outcomes"))
    except Missing:
        return {}


def _terms(columns: Mapping[str, str], limits: Thresholds, table: TrainingTable | None) -> _Terms | None:
    training: Mapping[str, Any] = table.training if table is not None else {}
    label = limits.label or str(training.get("target") or "")
    if label not in columns:
        return None
    came = limits.label_time or str(training.get("target_time") or "")
    counts = limits.counted_where or "won"
    window_us = round(float(training.get("delay_hours") or 0) * 3_600_000_000)
    return _Terms(label, came if came in columns else "", counts if counts in columns else "", window_us)


def _calibrated(exposures: "Exposures", terms: _Terms) -> tuple[Calibrated, ...]:
    rows = exposures.rows(
        f"select arm, count(*) as n, sum(score) as predicted, count_if(positive) as observed from ({_FOLLOWED}) as c "
        "where not fallback group by arm order by arm",
        **terms.values(),
    )
    return tuple(Calibrated(row["arm"], row["n"], row["predicted"], row["observed"]) for row in rows)


def _delays(
    exposures: "Exposures", terms: _Terms, table: TrainingTable | None
) -> tuple[tuple[tuple[float, float], ...], int]:
    """Both curves of arrival at the ages that part training's delays into ten, and how many positives are behind."""
    from sqlglot import exp

    ages = _trained_delays(table) if terms.came else ()
    if not ages:
        return (), 0
    edges = dict.fromkeys(ages)
    reached = [exp.LTE(this=exp.column("delay_us"), expression=exp.Literal.number(round(age))) for age in edges]
    columns: list[exp.Expr] = [exp.alias_(exp.Count(this=exp.Star()), "n")]
    columns += [exp.alias_(exp.CountIf(this=one), f"d{place}") for place, one in enumerate(reached)]
    sql = f"select * from ({_FOLLOWED}) as d where positive and delay_us is not null"
    row = exposures.rows(sql, columns, **terms.values())[0]
    positives = row["n"]
    if not positives:
        return (), 0
    expected = [max(place for place, one in enumerate(ages, 1) if one == age) / _PARTS for age in edges]
    return tuple((row[f"d{place}"] / positives, part) for place, part in enumerate(expected)), positives


def _trained_delays(table: TrainingTable | None) -> tuple[float, ...]:
    """The delays below which one to nine tenths of training's positives lie, in microseconds."""
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    if table is None or table.fault or table.training.get("target_time") not in table.columns:
        return ()
    at, came = (
        exp.func("epoch_us", quoted(str(table.training[name])), dialect="duckdb") for name in ("time", "target_time")
    )
    limit = exp.Literal.number(round(float(table.training.get("delay_hours") or 0) * 3_600_000_000))
    delay = exp.paren(came - at)
    label = exp.cast(quoted(str(table.training["target"])), exp.DType.BOOLEAN)
    in_time = exp.case().when(exp.and_(label, exp.LTE(this=delay, expression=limit)), delay.copy())
    parts = exp.Array(expressions=[exp.Literal.number(part / _PARTS) for part in range(1, _PARTS)])
    quantiles = exp.Anonymous(this="quantile_cont", expressions=[in_time, parts])
    try:
        return tuple(float(one) for one in table.rows([exp.alias_(quantiles, "delays")])[0]["delays"] or ())
    except TasukiError:
        return ()


def _spend(exposures: "Exposures", column: str) -> SpendSeen:
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    amount: exp.Expr = exp.Literal.number(1)
    if column:
        spent = quoted(column)
        spent.set("table", exp.to_identifier("o"))
        amount = exp.func("coalesce", spent, exp.Literal.number(0))
    rows = exposures.rows(_SPEND.format(join=_JOIN if column else ""), amount=amount)
    arms = {row["arm"]: Estimate(row["mean"], _of_mean(row), row["n"]) for row in rows}
    return SpendSeen(column or "exposures", arms)


def _of_mean(row: Mapping[str, Any]) -> float:
    return row["variance"] / row["n"] if row["variance"] is not None else nan
