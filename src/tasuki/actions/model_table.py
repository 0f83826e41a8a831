"""Reading the table a model learns from: whole for training, its newest rows to validate and to publish."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, Invalid
from tasuki.models.counting import with_counts
from tasuki.models.definition import sources_of
from tasuki.models.encoding import WrongValue
from tasuki.models.features import CountOver, Feature

if TYPE_CHECKING:
    from tasuki.warehouse import Source, Warehouse

Columns = dict[str, npt.NDArray[Any]]
FRESH_ROWS_REQUIRED = 200
FRESH_ROWS_LARGEST = 20_000
_TIMES = (1, 4, 16, 64, 256)


@dataclass(frozen=True)
class Asked:
    """What is read of a table.

    Args:
        table: The table's name.
        time: The column of a row's moment.
        features: The features whose sources are needed, and whose counts over windows are to be made.
        more: Further columns.
    """

    table: str
    time: str
    features: tuple[Feature, ...]
    more: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The table's columns that are read."""
        return tuple(dict.fromkeys((self.time, *sources_of(self.features), *self.more)))

    @property
    def history(self) -> timedelta:
        """How far before a row its counts reach."""
        longest = max((one.window_us for one in self.features if isinstance(one, CountOver)), default=0)
        return timedelta(microseconds=longest)


def table_columns(workspace: Workspace, table: str) -> tuple[str, ...]:
    """The names of all the columns a table has.

    Raises:
        Missing: When there is no such table, or no file in it yet.
    """
    from tasuki.warehouse import Warehouse, source_of

    with closing(Warehouse(workspace.tables)) as warehouse:
        return tuple(warehouse.columns(source_of(table)))


def read_table(workspace: Workspace, asked: Asked) -> Columns:
    """Every row, with the counts over windows.

    Raises:
        Missing: When there is no such table.
        Invalid: When a column is missing or cannot be read.
    """
    from tasuki.warehouse import Warehouse, source_of

    with closing(Warehouse(workspace.tables)) as warehouse:
        columns = warehouse.read_columns(source_of(asked.table), asked.names)
    return _counted(asked, columns)


def read_newest(workspace: Workspace, asked: Asked, *, days: float = 1.0, largest: int = FRESH_ROWS_LARGEST) -> Columns:
    """The rows of the table's last days, or of as many more as give enough; evenly thinned when there are many.

    Raises:
        Missing: When there is no such table.
        Invalid: When it is empty, or a column is missing or cannot be read.
    """
    from tasuki.warehouse import Warehouse, source_of

    with closing(Warehouse(workspace.tables)) as warehouse:
        source = source_of(asked.table)
        warehouse.require_columns(source, asked.names)
        since = _newest_since(warehouse, source, asked, days)
        columns = _read_since(warehouse, source, asked, since - asked.history)
    columns = _counted(asked, columns)
    at = columns[asked.time]
    if at.dtype.kind == "M":
        inside = np.flatnonzero(at >= np.datetime64(since.replace(tzinfo=None), "us"))
    else:
        inside = np.arange(len(at))
    chosen = inside[np.linspace(0, len(inside) - 1, min(largest, len(inside))).astype(int)] if len(inside) else inside
    return {name: column[chosen] for name, column in columns.items()}


def _newest_since(warehouse: "Warehouse", source: "Source", asked: Asked, least_days: float) -> datetime:
    from sqlglot import exp

    moment = _moment_of(asked.time)
    found = warehouse.rows(exp.select(exp.alias_(exp.Max(this=moment), "last")).from_(warehouse.table(source)))[0]
    last = found["last"]
    if last is None:
        raise Invalid(f"table {asked.table} has no rows", [Fault(asked.table, "is empty")])
    since = last - timedelta(days=least_days)
    for times in _TIMES:
        since = last - timedelta(days=least_days * times)
        count = exp.select(exp.alias_(exp.Count(this=exp.Star()), "rows")).from_(warehouse.table(source))
        if warehouse.rows(count.where(exp.GTE(this=moment.copy(), expression=_literal(since))))[0]["rows"] >= (
            FRESH_ROWS_REQUIRED
        ):
            break
    newest: datetime = since.astimezone(UTC)
    return newest


def _read_since(warehouse: "Warehouse", source: "Source", asked: Asked, since: datetime) -> Columns:
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    tree = exp.select(*(quoted(name) for name in asked.names)).from_(warehouse.table(source))
    tree = tree.where(exp.GTE(this=_moment_of(asked.time), expression=_literal(since)))
    arrow = warehouse.fetch(tree.order_by(_moment_of(asked.time)))
    return {name: plain_column(arrow.column(name)) for name in asked.names}


def _moment_of(column: str) -> Any:
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    return exp.cast(quoted(column), exp.DType.TIMESTAMPTZ)


def _literal(moment: datetime) -> Any:
    from sqlglot import exp

    return exp.cast(exp.Literal.string(moment.astimezone(UTC).isoformat()), exp.DType.TIMESTAMPTZ)


def plain_column(column: Any) -> npt.NDArray[Any]:
    """An Arrow column as NumPy: numbers with nulls as NaN, texts with None, moments as UTC microseconds."""
    import pyarrow as pa

    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"))
    plain: npt.NDArray[Any] = column.to_numpy()
    return plain


def _counted(asked: Asked, columns: Mapping[str, npt.NDArray[Any]]) -> Columns:
    try:
        return with_counts(asked.features, asked.time, columns)
    except WrongValue as error:
        fault = Fault(error.column, error.what, error.expected)
        raise Invalid(f"table {asked.table} cannot be read", [fault]) from error


def even_places(count: int, wanted: int) -> Sequence[int]:
    """At most `wanted` places of `count`, evenly spread."""
    places: list[int] = np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(int)).tolist() if count else []
    return places
