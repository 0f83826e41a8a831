"""A metric: what is measured, per which unit, and which way is better. A frozen value; engines run it."""

from dataclasses import dataclass, field
from typing import Literal

from tasuki.titles import Titles

MetricKind = Literal["mean", "proportion", "ratio", "quantile"]
METRIC_KINDS: tuple[MetricKind, ...] = ("mean", "proportion", "ratio", "quantile")
Direction = Literal["increase", "decrease"]


@dataclass(frozen=True)
class Margin:
    """How much worse a guardrail may get: an amount in the metric's unit, or a share of control."""

    amount: float
    is_relative: bool = False


Limits = tuple[float | None, float | None]
"""The lowest and the highest value that counts as it is; None where there is no such end."""


@dataclass(frozen=True)
class Cap:
    """An end that values are held at: an amount, or a quantile of the units of all arms together."""

    amount: float
    is_quantile: bool = False


@dataclass(frozen=True)
class Winsor:
    """How far a unit's value may go: what lies beyond counts as the end itself. Both arms share the ends."""

    lower: Cap | None = None
    upper: Cap | None = None

    @property
    def needs_quantiles(self) -> bool:
        """Whether an end is known only after the units were looked at."""
        return any(one is not None and one.is_quantile for one in (self.lower, self.upper))


@dataclass(frozen=True)
class Covariate:
    """What was known of a unit before the experiment: an SQL expression, or a ratio of two."""

    numerator: str
    denominator: str | None = None


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: How it is called in results and on the command line.
        kind: `mean` per unit, `proportion` of units, `ratio` of two sums, or `quantile` over units.
        numerator: An SQL expression over the table's columns; true/false or 0/1 for a proportion.
        denominator: The expression below the line of a ratio.
        quantile: Which quantile, in (0, 1).
        filter: An SQL condition. Rows that do not fulfil it do not count: in a table of events the unit stays and has
            none of them; in a table of units the unit is left out.
        direction: Which way is better.
        margin: The non-inferiority margin, which makes it a guardrail.
        covariates: What is adjusted for (CUPED).
        winsor: The ends that the numerator of a unit is held within; for a mean or ratio.
        table: The table of the workspace; None for the file that is being compared.
        unit: The column of the unit in that table; None when a row is a unit.
        exposure: The column with the id of the exposure that an event followed from: the surest link to an arm.
        time: The column of the moment of an event; without `exposure`, events from a unit's first exposure on count.
        window_hours: How long after a unit's first exposure its events count; always when None. It needs `time` and
            has no meaning with `exposure`, which ties each event to its cause.
        cluster: The column of what was randomised, where that is coarser than `unit` (users of a company).
        parent: The metric above it in the KPI tree.
        owner: Who answers for it.
        titles: Its name in both languages.
    """

    name: str
    kind: MetricKind
    numerator: str
    denominator: str | None = None
    quantile: float | None = None
    filter: str | None = None
    direction: Direction = "increase"
    margin: Margin | None = None
    covariates: tuple[Covariate, ...] = ()
    winsor: Winsor | None = None
    table: str | None = None
    unit: str | None = None
    exposure: str | None = None
    time: str | None = None
    window_hours: float | None = None
    cluster: str | None = None
    parent: str | None = None
    owner: str = ""
    titles: Titles = field(default=Titles("", ""))
