"""How often a "win" is none, given how often ideas work at all."""

TYPICAL_PRIOR = 0.15
"""A prior, not a measurement: 10 to 20 % of A/B tests in the field find a true improvement."""


def false_win_risk(alpha: float = 0.05, power: float = 0.8, prior: float = TYPICAL_PRIOR) -> float:
    """The share of significant improvements that are not real.

    Args:
        alpha: The two-sided level that was tested at, in (0, 1).
        power: The chance to find a true effect, in (0, 1].
        prior: The share of ideas that truly improve, in (0, 1).

    Formula: (α/2)(1 − π) / ((α/2)(1 − π) + power·π).
    Source: Kohavi, Deng & Vermeer (2022), "A/B Testing Intuition Busters", section 5 (false positive risk).
    Checked against: the paper's table (15 % prior, 80 % power: about 15 %).
    """
    false = alpha / 2 * (1 - prior)
    return false / (false + power * prior)
