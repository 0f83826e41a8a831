"""The unit of an arm that lies farthest from the arm's ratio: of all units the one that its effect leans on most.

Of n over d a unit pulls by n − r·d, where r is the arm's own ratio. The ratio is known only when everything was
counted, so the first query tells how large |n| and |d| get, which bounds every pull; only where the bound leaves room
for doubt are the units looked at again.
"""

from collections.abc import Mapping

from sqlglot import exp

from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.levels import clean_tree, cluster_tree
from tasuki.metrics.reading import Reading
from tasuki.metrics.trees import column, is_known, named, number


def pulled_pair(bound: BoundMetric) -> tuple[int, int] | None:
    """The positions of the numerator and denominator that a metric's value is a ratio of; None where it is none."""
    over, under = bound.ratios[0]
    return None if under is None or bound.metric.kind == "quantile" else (over, under)


def reach_columns(i: int, bound: BoundMetric) -> list[exp.Expr]:
    """The largest |numerator| and |denominator| of a ratio: `m{i}_x0` and `m{i}_x1`; nothing for other metrics."""
    pair = pulled_pair(bound) or ()
    return [named(exp.Max(this=exp.Abs(this=column(f"y{i}_{j}"))), f"m{i}_x{at}") for at, j in enumerate(pair)]


def farthest_tree(reading: Reading, i: int, ratios: Mapping[str, float]) -> exp.Select | exp.Union:
    """The farthest unit (or cluster) of each arm: columns `arm`, `over`, `under` and `pull`, its |n − r·d|.

    Args:
        reading: As for `tasuki.metrics.compile.statistics_tree`.
        i: Which metric; it is a ratio.
        ratios: The arms asked for, and their ratios.
    """
    pair = pulled_pair(reading.metrics[i])
    assert pair is not None
    over, under = (column(f"y{i}_{j}") for j in pair)
    units = (clean_tree(reading) if reading.cluster is None else cluster_tree(reading)).subquery("c")
    parts = []
    for arm, ratio in ratios.items():
        times = exp.Mul(this=under.copy(), expression=exp.Paren(this=exp.cast(number(ratio), exp.DType.DOUBLE)))
        pull = exp.Abs(this=exp.Sub(this=exp.cast(over.copy(), exp.DType.DOUBLE), expression=times))
        name = exp.Literal.string(arm)
        chosen = [named(name, "arm"), named(over.copy(), "over"), named(under.copy(), "under"), named(pull, "pull")]
        where: list[exp.Expr] = [exp.EQ(this=column("arm"), expression=name.copy()), is_known(over)]
        if reading.is_grouped:
            where.append(exp.EQ(this=column("mixed"), expression=exp.Literal.number(0)))
        # Among units that pull alike the order is fixed, so that every engine names the same one.
        order = [exp.Ordered(this=column("pull"), desc=True), *(exp.Ordered(this=column(one)) for one in _TIES)]
        one = exp.select(*chosen).from_(units.copy()).where(*where).subquery("f")
        first = exp.select(exp.Star()).from_(one).order_by(*order).limit(1)
        parts.append(exp.select(exp.Star()).from_(first.subquery("first")))
    return parts[0] if len(parts) == 1 else exp.union(*parts, distinct=False)


_TIES = ("over", "under")
