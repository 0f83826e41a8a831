"""The table a version was trained on, asked again: what its training rows look like now."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasuki.actions.filled import filled
from tasuki.errors import TasukiError, said
from tasuki.models.artifact import Artifact

if TYPE_CHECKING:
    from sqlglot import exp

    from tasuki.warehouse import Warehouse


class TrainingTable:
    """The mature rows of a version's training window.

    Args:
        warehouse: Where the table lies.
        artifact: The version.

    Attributes:
        fault: Why the table cannot be asked; empty when it can.
        columns: Its columns.
    """

    def __init__(self, warehouse: "Warehouse", artifact: Artifact) -> None:
        from tasuki.warehouse import source_of

        self._warehouse, self.training = warehouse, artifact.training
        self.columns: Mapping[str, str] = {}
        self.fault = ""
        lacking = [name for name in ("table", "time", "window", "target") if not self.training.get(name)]
        if lacking:
            self.fault = said(
                "version {version} does not say its {what}", version=artifact.version, what=tuple(lacking)
            )
            return
        try:
            self.columns = warehouse.columns(source_of(str(self.training["table"])))
        except TasukiError as error:
            self.fault = error.what
            return
        if self.training["time"] not in self.columns:
            self.fault = said(
                "table {table} has no column {column}", table=self.training["table"], column=self.training["time"]
            )

    def rows(self, columns: "Sequence[exp.Expr]", tail: str = "") -> list[dict[str, Any]]:
        """The answer to a query over `trained`, the rows that were mature at the window's end.

        Args:
            columns: What is selected.
            tail: The end of the query: `group by …`.
        """
        import sqlglot
        from sqlglot import exp

        from tasuki.warehouse.engine import quoted

        tree = sqlglot.parse_one(_ROWS + tail, read="duckdb")
        table = exp.Table(this=exp.to_identifier(str(self.training["table"]), quoted=True))
        for one in tree.find_all(exp.Table):
            if one.name == "training_table":
                one.replace(table)
        window, delay = self.training["window"], float(self.training.get("delay_hours") or 0)
        values = {
            "time": quoted(str(self.training["time"])),
            "start": exp.Literal.string(window["start"]),
            "stop": exp.Literal.string(window["end"]),
            "delay_us": exp.Literal.number(round(delay * 3_600_000_000)),
        }
        asked = filled(tree, values)
        if isinstance(asked, exp.Select):
            asked = asked.select(*columns, append=False)
        return self._warehouse.rows(asked)


_ROWS = """
with trained as (
    select * from training_table
    where epoch_us(:time) >= epoch_us(cast(:start as timestamptz))
      and epoch_us(:time) < epoch_us(cast(:stop as timestamptz))
      and epoch_us(:time) + :delay_us <= epoch_us(cast(:stop as timestamptz))
)
select * from trained
"""
