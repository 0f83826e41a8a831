"""What is read from one table, as a frozen value: the question that the trees of a query are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Limits

SEVERAL_ARMS, NO_UNIT = 1, 2
"""What `mixed` says of units that belong to no arm; 0 for those that do."""

WHOLE = ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
"""Types that hold neither fractions nor NaN."""


@dataclass(frozen=True)
class Reading:
    """What is read from one table.

    Args:
        table: The table, or any tree that can stand in FROM.
        metrics: What is measured.
        variant: The column of the arm.
        unit: The column of the unit, when rows are events.
        segments: Columns whose values are compared separately as well.
        types: The engine's type of each column.
        present: A column that is null where a row does not count (a unit without events, an event outside the window).
        variable_types: The engine's type of each variable, by metric and position; unknown ones are treated as
            fractions.
        cluster: The column of what was randomised, where that is coarser than a unit.
        limits: By metric, the values that its winsorised units are held within.
        units: Events that were summed to units before, instead of rows (see `tasuki.metrics.increments`).
        units_tell_varying: Whether these units say if a segment varied within them, as `t{k}`.
        origins: By metric and position, what values are counted from, where averages would lose digits otherwise
            (see `tasuki.metrics.origins`).
        fills: By metric and position, what stands for a covariate that a unit lacks (see `tasuki.metrics.fills`).
    """

    table: exp.Expr
    metrics: tuple[BoundMetric, ...]
    variant: str
    unit: str | None = None
    segments: tuple[str, ...] = ()
    present: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    variable_types: Mapping[tuple[int, int], str] = field(default_factory=dict)
    cluster: str | None = None
    limits: Mapping[int, Limits] = field(default_factory=dict)
    units: exp.Expr | None = None
    units_tell_varying: bool = False
    origins: Mapping[tuple[int, int], float] = field(default_factory=dict)
    fills: Mapping[tuple[int, int], float] = field(default_factory=dict)

    @property
    def is_grouped(self) -> bool:
        """Whether rows are put together before they are counted."""
        return self.unit is not None or self.cluster is not None

    @property
    def tells_varying(self) -> bool:
        """Whether units with more than one value of a segment are counted: where events are summed to units."""
        return self.unit is not None and (self.units is None or self.units_tell_varying)

    def within(self, limits: Mapping[int, Limits]) -> "Reading":
        """The same, its winsorised metrics held within these ends."""
        return replace(self, limits=limits)

    def around(self, origins: Mapping[tuple[int, int], float]) -> "Reading":
        """The same, its averages counted from these values."""
        return replace(self, origins=origins)

    def filled(self, fills: Mapping[tuple[int, int], float]) -> "Reading":
        """The same, these values standing for covariates that units lack."""
        return replace(self, fills=fills)

    def of(self, table: exp.Expr) -> "Reading":
        """The same question about another table with these columns."""
        return replace(self, table=table)

    def is_whole(self, i: int, j: int) -> bool:
        """Whether a variable can be neither NaN nor infinite."""
        return self.metrics[i].variables[j].role == "rows" or self.variable_types.get((i, j), "").startswith(WHOLE)
