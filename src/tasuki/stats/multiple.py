"""Several hypotheses at once: adjusted p-values."""

from collections.abc import Sequence
from math import isnan, nan


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted so that the chance of any false discovery stays below alpha. NaN stays NaN and does not count.

    Formula: sorted ascending, p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1)·p₍ⱼ₎).
    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    Checked against: tea-tasting 1.14 `adjust_fwer(arbitrary_dependence=True)` (1e-9), worked example of the paper.
    """
    order = _ascending(p_values)
    adjusted, reached = [nan] * len(p_values), 0.0
    for rank, position in enumerate(order):
        reached = max(reached, min(1.0, (len(order) - rank) * p_values[position]))
        adjusted[position] = reached
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted so that the expected share of false ones among the discoveries stays below alpha.

    Formula: sorted ascending, p̃₍ᵢ₎ = min over j ≥ i of min(1, m·p₍ⱼ₎/j).
    Source: Benjamini & Hochberg (1995), "Controlling the false discovery rate".
    Checked against: scipy.stats.false_discovery_control (1e-9).
    """
    order = _ascending(p_values)
    adjusted, reached = [nan] * len(p_values), 1.0
    for rank in range(len(order), 0, -1):
        position = order[rank - 1]
        reached = min(reached, p_values[position] * len(order) / rank)
        adjusted[position] = reached
    return tuple(adjusted)


def _ascending(p_values: Sequence[float]) -> list[int]:
    known = [position for position, p in enumerate(p_values) if not isnan(p)]
    return sorted(known, key=lambda position: p_values[position])
