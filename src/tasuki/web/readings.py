"""How a figure of an offline report reads: better, worse or undecided."""

from collections.abc import Mapping
from typing import Any, Literal

Reading = Literal["better", "worse", "undecided"]
_LOWER_IS_BETTER = frozenset({"log_loss", "normalized_entropy"})
_HIGHER_IS_BETTER = frozenset({"auc", "grouped_auc"})


def offline_verdict(difference: Mapping[str, Any]) -> Reading | None:
    """What the interval of challenger − champion says; None for a metric that is neither better up nor down.

    Args:
        difference: A `MetricDifference` as JSON values.
    """
    name, low, high = difference["name"], difference["difference_low"], difference["difference_high"]
    if low is None or high is None or name not in _LOWER_IS_BETTER | _HIGHER_IS_BETTER:
        return None
    if low <= 0 <= high:
        return "undecided"
    return "better" if (low > 0) == (name in _HIGHER_IS_BETTER) else "worse"
