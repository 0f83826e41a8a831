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


LEAST_IDEAS = 10
"""With fewer compared ideas a team's own share of true improvements says next to nothing."""

_WEIGHT = 10


def learnt_prior(wins: int, ideas: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The share of ideas that truly improve, learnt from how many of a team's comparisons were won.

    Args:
        wins: Comparisons with a significant improvement.
        ideas: Comparisons, at least 1.
        alpha: The two-sided level they were tested at.
        power: The chance they had to find a true effect.

    Formula: a win is true or chance, w = power·π + (1 − π)·α/2, so π̂ = (w − α/2)/(power − α/2) within [0, 1]; then
        (n·π̂ + 10·0.15)/(n + 10): ten ideas' worth of the field's typical share keep few ideas from saying too much.
    Source: Rogan & Gladen (1978), "Estimating prevalence from the results of a screening test", eq. 1, shrunk as the
        mean of a beta prior.
    Checked against: simulated histories (unbiased before shrinking).
    """
    share = (wins / ideas - alpha / 2) / (power - alpha / 2)
    return (ideas * min(max(share, 0.0), 1.0) + _WEIGHT * TYPICAL_PRIOR) / (ideas + _WEIGHT)
