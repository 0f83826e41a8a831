"""A/A simulation: the team's own units are split again and again by the very assignment hash, and compared.

Nothing differs between the arms of such a split, so a comparison that says otherwise is a false alarm. How often it
does, and how far the effects scatter against the standard error that is reported, shows whether the analysis can be
trusted on this data: with skewed values, correlated units or a wrong unit it cannot. With an effect added it shows the
power.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.assignment import split_of
from tasuki.experiments.compare import compare_arms
from tasuki.experiments.comparison import Comparison
from tasuki.experiments.design import Design
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.distributions import normal_quantile
from tasuki.stats.moments import Moments
from tasuki.stats.proportion import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOWS = 4
"""Independent buckets that one digest holds: 52 of each 64 bits. The first is the bucket that `assign` gives."""

FEWEST_SPLITS, MOST_SPLITS = 20, 100_000
FEWEST_UNITS = 40
MOST_UNITS = 200_000
"""Of more units a sample is split: the time goes into hashing, and a false alarm shows as well in fewer."""

ROUNDING = 1e-12
"""A sum of squares around an arm's own mean below this share of that around the common one is rounding."""

_AT_ONCE = 64
_CERTAIN = 0.01
"""The level at which the simulation contradicts the analysis: two intervals of 99 % are looked at."""


@dataclass(frozen=True)
class AASplits:
    """What is simulated.

    Args:
        splits: How many times the units are split.
        arms: Share of each arm, control first.
        alpha: The level of the comparison, over all arms.
        effect: The absolute effect that is added for the power; None for none.
        salt: Where the salts begin; another one gives other splits.
    """

    splits: int
    arms: tuple[float, ...] = (0.5, 0.5)
    alpha: float = 0.05
    effect: float | None = None
    salt: str = "aa"

    def faults(self) -> list[Fault]:
        """What cannot be simulated."""
        if FEWEST_SPLITS <= self.splits <= MOST_SPLITS:
            return []
        return [
            Fault(
                "aa",
                said("{splits} splits", splits=self.splits),
                said("{fewest_splits} to {most_splits:,}", fewest_splits=FEWEST_SPLITS, most_splits=MOST_SPLITS),
            )
        ]


@dataclass(frozen=True)
class AAResult:
    """What the simulation shows.

    Args:
        splits: How many splits.
        units: How many units each of them had.
        sampled: Whether these are a sample of the units that there are.
        false_positives: The share of splits in which some arm was significant although nothing differs.
        false_positives_low: Lower bound of its 95 % interval (Wilson).
        false_positives_high: Upper bound.
        empirical_error: How far the effects of the first treatment arm scatter: their standard deviation.
        analytic_error: The standard error that the comparison reports, as the root of its mean square.
        error_ratio: Empirical over analytic; above 1 the analysis is too sure of itself.
        error_ratio_low: Lower bound of its 95 % interval.
        error_ratio_high: Upper bound.
        power: The share of splits in which the added effect was found; None without one.
        power_low: Lower bound of its 95 % interval.
        power_high: Upper bound.
        analytic_power: What the formula says of the same effect in as many units; None without an effect.
        trusted: Whether the simulation agrees with the analysis.
        findings: What is wrong if not, one sentence each.
    """

    splits: int
    units: int
    sampled: bool
    false_positives: float
    false_positives_low: float
    false_positives_high: float
    empirical_error: float
    analytic_error: float
    error_ratio: float | None
    error_ratio_low: float | None
    error_ratio_high: float | None
    power: float | None
    power_low: float | None
    power_high: float | None
    trusted: bool
    findings: tuple[str, ...]
    analytic_power: float | None = None


def simulate_aa(units: Sequence[str], values: "NDArray[Any]", bound: BoundMetric, asked: AASplits) -> AAResult:
    """Splits the units and compares them.

    Args:
        units: The text of each unit, as it is hashed; each once.
        values: The metric's variables for each of them, shape (units, variables); NaN where a unit has none.
        bound: The metric.
        asked: How often, in which arms, with which effect.

    Raises:
        Invalid: Too few splits or units, or values that do not vary.
    """
    import numpy as np

    there = np.isfinite(values).all(axis=1)
    chosen = np.flatnonzero(there)
    faults = asked.faults()
    if len(chosen) < FEWEST_UNITS:
        faults.append(
            Fault(
                "units",
                said("{count} have a value", count=len(chosen)),
                said("{fewest_units} or more to split", fewest_units=FEWEST_UNITS),
            )
        )
    if faults:
        raise Invalid("nothing can be simulated", faults)
    sampled = len(chosen) > MOST_UNITS
    if sampled:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, MOST_UNITS, replace=False))
    kept = [units[at].encode() for at in chosen.tolist()]
    design = Design("arm0", {f"arm{n}": share for n, share in enumerate(asked.arms)}, asked.alpha)
    outcomes = [
        _outcome(cells, bound, design, asked.effect) for cells in _splits(kept, np.asarray(values)[chosen], asked)
    ]
    return _summed_up(outcomes, asked, len(kept), sampled=sampled)


@dataclass(frozen=True)
class _Outcome:
    effect: float
    error: float
    alarm: bool
    found: bool


def _splits(units: Sequence[bytes], values: "NDArray[Any]", asked: AASplits) -> "Iterator[tuple[Cell, ...]]":
    """The cells of each split. Sums over arms are one product of matrices for many splits at a time."""
    import numpy as np

    split = split_of({f"arm{n}": share for n, share in enumerate(asked.arms)})
    bounds = np.array(split.bounds[:-1], dtype=np.uint64)
    centre = values.mean(axis=0)
    away = values - centre
    size = away.shape[1]
    pairs = [(i, j) for i in range(size) for j in range(i, size)]
    features = np.column_stack([np.ones(len(away)), away, *(away[:, i] * away[:, j] for i, j in pairs)])
    done = 0
    while done < asked.splits:
        first, count = done // WINDOWS, min(_AT_ONCE, asked.splits - done)
        buckets = np.concatenate([_buckets(units, f"{asked.salt}{n}") for n in range(first, first + -(-count // 4))])
        arms = np.searchsorted(bounds, buckets[:count].ravel(), side="right").reshape(count, -1)
        sums = [(arms == n).astype(np.float64) @ features for n in range(len(asked.arms))]
        for row in range(count):
            yield tuple(_cell(f"arm{n}", sums[n][row], centre, pairs) for n in range(len(asked.arms)))
        done += count


def _buckets(units: Sequence[bytes], salt: str) -> "NDArray[Any]":
    """The buckets of all units under a salt, one row per window; the first row is the assignment's own."""
    import numpy as np

    salted = f"{salt}:".encode()
    digests = b"".join([sha256(salted + unit).digest() for unit in units])
    words = np.frombuffer(digests, ">u8").reshape(len(units), WINDOWS)
    return (words.T >> np.uint64(12)).astype(np.uint64)


def _cell(arm: str, sums: "NDArray[Any]", centre: "NDArray[Any]", pairs: Sequence[tuple[int, int]]) -> Cell:
    """The moments of one arm from its sums around the common centre, so that no digits are lost."""
    n, size = round(float(sums[0])), len(centre)
    if n < 2:
        blank = tuple((0.0,) * size for _ in range(size))
        return Cell(arm, None, n, (Sample(Moments(n, tuple(map(float, centre)), blank)),))
    means = sums[1 : size + 1] / n
    spread = [[0.0] * size for _ in range(size)]
    for at, (i, j) in enumerate(pairs, size + 1):
        left = float(sums[at] - n * means[i] * means[j])
        if i == j and left < ROUNDING * float(sums[at]):
            left = 0.0  # what is left is rounding, of either sign: no unit of the arm differs from another
        spread[i][j] = spread[j][i] = left / (n - 1)
    moments = Moments(n, tuple(map(float, centre + means)), tuple(map(tuple, spread)))
    return Cell(arm, None, n, (Sample(moments),))


def _outcome(cells: tuple[Cell, ...], bound: BoundMetric, design: Design, effect: float | None) -> _Outcome:
    plain = compare_arms(Statistics(cells), (bound,), design)
    first = plain.results[0]
    error = first.standard_error
    found = False
    if effect is not None:
        treated = tuple(_with_effect(cell, bound, effect) for cell in cells[1:])
        found = _is_alarm(compare_arms(Statistics((cells[0], *treated)), (bound,), design), every=True)
    return _Outcome(first.effect or 0.0, 0.0 if error is None else error, _is_alarm(plain, every=False), found)


def _is_alarm(comparison: Comparison, *, every: bool) -> bool:
    alpha = comparison.alpha
    significant = [(one.p_value_adjusted or 0.0) < alpha for one in comparison.results if one.p_value is not None]
    # The power is that of the first arm, as the plan promises it for each; a false alarm is one in any arm.
    return significant[0] if every and significant else any(significant)


def _with_effect(cell: Cell, bound: BoundMetric, effect: float) -> Cell:
    """The arm as it would be had each unit's contribution grown by the effect."""
    moments = cell.samples[0].moments
    over, under = bound.ratios[0]
    means, spread = list(moments.means), [list(row) for row in moments.covariances]
    if under is not None:
        # numerator + effect · denominator: the ratio grows by the effect, and the covariances follow.
        means[over] += effect * means[under]
        before = [row[:] for row in spread]
        for k in range(len(means)):
            spread[over][k] = spread[k][over] = before[over][k] + effect * before[under][k]
        spread[over][over] = before[over][over] + 2 * effect * before[over][under] + effect**2 * before[under][under]
    else:
        means[over] += effect
        if bound.metric.kind == "proportion":
            means[over] = min(max(means[over], 0.0), 1.0)
            spread[over][over] = means[over] * (1 - means[over]) * moments.n / max(moments.n - 1, 1)
    grown = Moments(moments.n, tuple(means), tuple(map(tuple, spread)))
    return replace(cell, samples=(Sample(grown),))


def _summed_up(outcomes: Sequence[_Outcome], asked: AASplits, units: int, *, sampled: bool) -> AAResult:
    count = len(outcomes)
    alarms, found = sum(one.alarm for one in outcomes), sum(one.found for one in outcomes)
    low, high = wilson(alarms, count)
    middle = sum(one.effect for one in outcomes) / count
    empirical = sqrt(sum((one.effect - middle) ** 2 for one in outcomes) / (count - 1))
    analytic = sqrt(sum(one.error**2 for one in outcomes) / count)
    if not (analytic > 0 and isfinite(analytic)):
        raise Invalid("nothing can be simulated", [Fault("metric", "no unit differs from another", "values that vary")])
    ratio = empirical / analytic
    power = (found / count, *wilson(found, count)) if asked.effect is not None else (None, None, None)
    findings = _findings(alarms, ratio, asked, count)
    return AAResult(
        splits=count,
        units=units,
        sampled=sampled,
        false_positives=alarms / count,
        false_positives_low=low,
        false_positives_high=high,
        empirical_error=empirical,
        analytic_error=analytic,
        error_ratio=ratio,
        error_ratio_low=ratio * (1 - _spread(count, 0.05)),
        error_ratio_high=ratio * (1 + _spread(count, 0.05)),
        power=power[0],
        power_low=power[1],
        power_high=power[2],
        trusted=not findings,
        findings=findings,
    )


def _spread(count: int, level: float) -> float:
    """Half the interval of a standard deviation over so many splits, as a share of it (normal effects)."""
    return min(0.99, normal_quantile(1 - level / 2) / sqrt(2 * (count - 1)))


def _findings(alarms: int, ratio: float, asked: AASplits, count: int) -> tuple[str, ...]:
    findings = []
    low, high = wilson(alarms, count, _CERTAIN)
    if not low <= asked.alpha <= high:
        seen = {"seen": alarms / count, "alpha": asked.alpha}
        findings.append(
            said("False alarms are more frequent ({seen:.1%}) than the level of {alpha:.1%}.", **seen)
            if low > asked.alpha
            else said("False alarms are less frequent ({seen:.1%}) than the level of {alpha:.1%}.", **seen)
        )
    away = _spread(count, _CERTAIN)
    if not ratio * (1 - away) <= 1 <= ratio * (1 + away):
        findings.append(
            said(
                "The analytic standard error is smaller than the scatter of the effects (ratio {ratio:.2f}): look for "
                "outliers, or for rows that are no independent units.",
                ratio=ratio,
            )
            if ratio > 1
            else said(
                "The analytic standard error is larger than the scatter of the effects (ratio {ratio:.2f}): look for "
                "outliers, or for rows that are no independent units.",
                ratio=ratio,
            )
        )
    return tuple(findings)


def aa_lines(result: AAResult) -> tuple[tuple[str, str], ...]:
    """The simulation as names and texts, for a table."""
    of = " (a sample)" if result.sampled else ""
    alarms = f"{result.false_positives:.1%} ({result.false_positives_low:.1%} to {result.false_positives_high:.1%})"
    lines = [
        ("A/A splits", f"{result.splits:,} of {result.units:,} units{of}"),
        ("A/A false alarms", alarms),
        ("A/A standard error", f"{result.empirical_error:.4g} seen, {result.analytic_error:.4g} by formula"),
    ]
    if result.power is not None:
        seen = f"{result.power:.1%} ({result.power_low:.1%} to {result.power_high:.1%})"
        by_formula = "" if result.analytic_power is None else f", {result.analytic_power:.1%} by formula"
        lines.append((f"A/A power of {result.units:,} units", f"{seen}{by_formula}"))
    return (*lines, *(("A/A WARNING", finding) for finding in result.findings))
