"""Winsorising: the ends that units are held within, read from text and found by the engine.

The ends come from the units of all arms together, so that they cannot favour an arm.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from sqlglot import exp

from tasuki.errors import Fault, said
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.levels import clean_tree, quantile_of
from tasuki.metrics.metric import Cap, Limits, Winsor
from tasuki.metrics.reading import Reading
from tasuki.metrics.trees import column, is_known, named

EXPECTED = "UPPER or LOWER:UPPER, each an amount, as 100, or a quantile, as 99%"


def read_winsor(given: float | str, where: str, faults: list[Fault]) -> Winsor | None:
    """The ends from text as `99%`, `0:500` or `1%:`, where `%` means a quantile; faults are added."""
    lower, colon, upper = str(given).strip().rpartition(":")
    try:
        ends = [_cap(lower.strip() if colon else ""), _cap(upper.strip())]
    except ValueError:
        ends = [None, None]
    low, high = ends
    if isinstance(given, bool) or (low is None and high is None):
        faults.append(Fault(where, said("{given!r} are no ends to hold values within", given=given), EXPECTED))
        return None
    if low is not None and high is not None and low.is_quantile == high.is_quantile and low.amount >= high.amount:
        faults.append(Fault(where, said("{given!r}: the lower end is not below the upper", given=given), EXPECTED))
        return None
    return Winsor(low, high)


def _cap(text: str) -> Cap | None:
    if not text:
        return None
    is_quantile = text.endswith("%")
    amount = float(text.removesuffix("%")) / (100 if is_quantile else 1)
    if not isfinite(amount) or (is_quantile and not 0 < amount < 1):
        raise ValueError(text)
    return Cap(amount, is_quantile)


def limits_tree(reading: Reading) -> exp.Select | None:
    """One row with the quantiles that ends are at: `q{i}_low`, `q{i}_high`; None where no metric needs any."""
    chosen = [
        named(quantile_of(column(f"y{i}_0"), cap.amount), f"q{i}_{end}")
        for i, bound in enumerate(reading.metrics)
        for end, cap in caps_of(bound)
        if cap is not None and cap.is_quantile
    ]
    if not chosen:
        return None
    counted = [is_known(column("arm"))]
    if reading.unit is not None:
        counted.append(exp.EQ(this=column("mixed"), expression=exp.Literal.number(0)))
    return exp.select(*chosen).from_(clean_tree(reading).subquery("c")).where(*counted)


def read_limits(reading: Reading, row: Mapping[str, Any]) -> dict[int, Limits]:
    """The ends of each winsorised metric, from the row that `limits_tree` asked for."""
    found: dict[int, Limits] = {}
    for i, bound in enumerate(reading.metrics):
        if bound.metric.winsor is None:
            continue
        low, high = (
            None if cap is None else row[f"q{i}_{end}"] if cap.is_quantile else cap.amount
            for end, cap in caps_of(bound)
        )
        found[i] = (None if low is None else float(low), None if high is None else float(high))
    return found


def caps_of(bound: BoundMetric) -> Sequence[tuple[str, Cap | None]]:
    """The ends of a metric, each with how it is called in the row of `limits_tree`."""
    winsor = bound.metric.winsor or Winsor()
    return (("low", winsor.lower), ("high", winsor.upper))
