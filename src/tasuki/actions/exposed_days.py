"""The days of an experiment's exposures."""

from datetime import date

from sqlglot import exp

from tasuki.metrics.exposed import EXPOSURES
from tasuki.warehouse import Engine, Source
from tasuki.warehouse.engine import quoted


def exposed_days(engine: Engine, experiment: str) -> tuple[date, ...]:
    """Every day (UTC) that has exposures of the experiment, in order."""
    day = exp.alias_(exp.cast(quoted("at"), exp.DType.DATE), "day")
    mine = exp.EQ(this=quoted("experiment"), expression=exp.Literal.string(experiment))
    table = engine.table(Source("table", EXPOSURES))
    rows = engine.rows(exp.select(day).distinct().from_(table).where(mine))
    return tuple(sorted(row["day"] for row in rows if row["day"] is not None))
