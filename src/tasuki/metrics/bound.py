"""Metrics bound to a table: every expression parsed and checked against its columns, all faults at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from tasuki.errors import Fault
from tasuki.metrics.expression import parse_expression
from tasuki.metrics.metric import Metric

Role = Literal["value", "covariate", "rows"]
"""`rows` counts the units of a cluster that have a value."""


@dataclass(frozen=True)
class Variable:
    """One column of numbers that a metric needs, as a tree over the table."""

    tree: exp.Expr
    role: Role


@dataclass(frozen=True)
class BoundMetric:
    """A metric whose expressions are trees.

    Args:
        metric: What was declared.
        variables: Numerator, denominator and covariates, in that order; with clusters also their units.
        ratios: Positions in `variables` of numerator and denominator: first the metric's, then its covariates'.
        condition: The filter.
    """

    metric: Metric
    variables: tuple[Variable, ...]
    ratios: tuple[tuple[int, int | None], ...]
    condition: exp.Expr | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that it is made of."""
        trees = [*(one.tree for one in self.variables), *([self.condition] if self.condition else [])]
        return tuple(dict.fromkeys(one.name for tree in trees for one in tree.find_all(exp.Column)))


def bind(metric: Metric, columns: Sequence[str], faults: list[Fault], *, clustered: bool = False) -> BoundMetric | None:
    """The metric over a table with these columns, or None after every fault was added to `faults`.

    Args:
        metric: What was declared.
        columns: The columns of its table.
        faults: What is wrong is added here.
        clustered: Whether what was randomised is coarser than a unit. A mean over units is then a ratio of two sums
            per cluster: of values, and of units.
    """
    before = len(faults)
    variables: list[Variable] = []

    def read(text: str, part: str, role: Role) -> int:
        tree, found = parse_expression(text, columns, f"{metric.name}.{part}")
        faults.extend(found)
        if tree is not None:
            variables.append(Variable(tree, role))
        return len(variables) - 1

    over = read(metric.numerator, "numerator", "value")
    under = None if metric.denominator is None else read(metric.denominator, "denominator", "value")
    ratios = [(over, under)]
    for covariate in metric.covariates:
        top = read(covariate.numerator, "covariate", "covariate")
        below = None if covariate.denominator is None else read(covariate.denominator, "covariate", "covariate")
        ratios.append((top, below))
    if clustered and metric.kind == "quantile":
        faults.append(Fault(metric.name, "a quantile is not compared over clusters", "a mean, proportion or ratio"))
    if clustered and any(below is None for _, below in ratios):
        variables.append(Variable(exp.Literal.number(1), "rows"))
        ratios = [(top, len(variables) - 1 if below is None else below) for top, below in ratios]
    condition = None
    if metric.filter is not None:
        condition, found = parse_expression(metric.filter, columns, f"{metric.name}.filter")
        faults.extend(found)
    if len(faults) > before:
        return None
    return BoundMetric(metric, tuple(variables), tuple(ratios), condition)


def bind_all(
    metrics: Sequence[Metric], columns: Mapping[str, str], faults: list[Fault], *, clustered: bool = False
) -> tuple[BoundMetric, ...]:
    """All metrics over one table; those with faults are left out after the faults were added."""
    bound = [bind(metric, list(columns), faults, clustered=clustered) for metric in metrics]
    return tuple(one for one in bound if one is not None)
