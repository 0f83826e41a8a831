"""Assigning units to arms, the same way as the inference service does."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.allocation import EVERYBODY, Allocation, HoldOut, Reach, allocation_of, arm_sql, status_sql
from tasuki.experiments.assigned import Assignments
from tasuki.experiments.assignment import BUCKETS, bucket_sql

if TYPE_CHECKING:
    from sqlglot import exp

MANY = 200_000
"""From so many units on the engine is faster, although they must be carried there and back."""

_WHOLE = ("INTEGER", "BIGINT", "SMALLINT", "TINYINT", "UINTEGER", "UBIGINT", "USMALLINT", "UTINYINT", "HUGEINT")
_TEXTS = ("VARCHAR", "UUID", "ENUM")


def assign(
    units: Any,
    *,
    salt: str,
    arms: Mapping[str, float],
    unit: str | None = None,
    layer: str = "",
    reach: Reach = EVERYBODY,
    holdout: HoldOut | None = None,
    tables: Mapping[str, str] | None = None,
) -> Assignments:
    """The arm and bucket of each unit.

    Args:
        units: What is randomised, one by one: texts or whole numbers, whose text is hashed. With `unit`, a file, table
            or frame instead, whose rows are assigned in its engine.
        salt: Any text; another salt is another, independent split.
        arms: Share of the traffic by arm, adding up to 1.
        unit: The column of the unit, when `units` is a table.
        layer: The layer whose range takes part, where not everybody does.
        reach: That range, and how much of it is exposed.
        holdout: Who is kept out of every experiment.
        tables: Tables of a workspace that `units` may name.

    Raises:
        Invalid: Shares, a range or a hold-out that cannot be: every fault at once. A column of neither texts nor whole
            numbers.
        Missing: There is no such file or table.
    """
    allocation = allocation_of(salt, arms, layer=layer, reach=reach, holdout=holdout)
    if unit is not None:
        return _assign_column(units, unit, allocation, tables)
    chosen = list(units)
    if len(chosen) >= MANY:
        import pyarrow as pa

        texts = pa.array([None if one is None else str(one) for one in chosen], pa.string())
        return _assign_column(pa.table({"unit": texts}), "unit", allocation, None)
    return _assign_each(chosen, allocation)


def _assign_each(units: Iterable[object], allocation: Allocation) -> Assignments:
    chosen = list(units)
    placed = [allocation.place(one) for one in chosen]
    return Assignments(
        [None if one is None else str(one) for one in chosen],
        [one.arm for one in placed],
        [one.bucket for one in placed],
        [one.status for one in placed],
    )


def _assign_column(data: Any, unit: str, allocation: Allocation, tables: Mapping[str, str] | None) -> Assignments:
    from tasuki.warehouse import Warehouse, source_of

    warehouse = Warehouse(tables)
    try:
        source = source_of(data)
        warehouse.require_columns(source, [unit])
        kind = warehouse.columns(source)[unit]
        if not kind.startswith((*_WHOLE, *_TEXTS)):
            fault = Fault(unit, said("is {kind}", kind=kind), "texts or whole numbers, which every engine writes alike")
            raise Invalid("the column cannot be assigned", [fault])
        found = warehouse.fetch(_assigned_tree(warehouse.table(source), unit, allocation))
    finally:
        warehouse.close()
    return Assignments(*(found.column(name) for name in ("unit", "arm", "bucket", "status")))


def _assigned_tree(table: "exp.Expr", unit: str, allocation: Allocation) -> "exp.Expr":
    from sqlglot import exp

    column = exp.Column(this=exp.to_identifier(unit, quoted=True))
    bucket = exp.cast(bucket_sql(column, allocation.salt), exp.DType.DOUBLE)
    scaled = exp.Div(this=bucket, expression=exp.Literal.number(BUCKETS), typed=False, safe=False)
    chosen = {
        "unit": exp.cast(column, exp.DType.TEXT),
        "arm": arm_sql(column, allocation),
        "bucket": scaled,
        "status": status_sql(column, allocation),
    }
    return exp.select(*(exp.alias_(tree, name) for name, tree in chosen.items())).from_(table.copy())
