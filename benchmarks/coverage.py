"""Do 95 % intervals hold the truth 94 to 96 times in 100? Simulated, through the functions that compare arms.

    python benchmarks/coverage.py [--experiments 20000] [--quick] [--seed 1] [--only WORD]

Every experiment is drawn with a known truth, summed up to moments (as an engine would) and handed to `effect_of`; many
looks are judged by the boundaries that the project computes.

What is claimed, and of which rows:

- A 95 % interval holds the truth in 94 to 96 % of the experiments. One side of it, as a guardrail's test uses it,
  raises a false alarm in 2 to 3 %, and a test at 5 % in 4 to 6 %. Rules for many looks promise at most 5 % false
  alarms; as one that uses them up lies above in half of all simulations, two errors of the simulation are allowed
  there, and only there.
- The claim is for data of which the comparison does not say that they are too few: `too_few_units`, `few_events`,
  `few_denominators`, `few_beyond_quantile`, `too_skewed`. A row is judged when fewer than half of its experiments raise
  one of these, and then all of its experiments count. The other rows are printed with the same figures, and not judged.
- Where counts are small the coverage at one truth depends on where counts happen to lie. `truth drawn anew` is what a
  team sees over many experiments: rates, lifts and sizes are drawn for each. `exact` leaves nothing to chance: all
  counts that can come, weighed by their probabilities.

Prints a table in Markdown and ends with 1 when a judged figure is outside. The bootstrap takes 1,000 draws here and
4,000 in the product. About ten minutes on one core; `--quick` half a minute.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import chain, product
from math import comb, exp, sqrt
from typing import Any
from zlib import crc32

import numpy as np

from tasuki.experiments import effects
from tasuki.experiments.comparison import Result, SplitTest
from tasuki.experiments.design import Design
from tasuki.experiments.doubts import doubts_about_metrics, doubts_about_units
from tasuki.experiments.effects import Pair, effect_of
from tasuki.experiments.skewness import doubts_about_skewness
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Covariate, Margin, Metric
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.bootstrap import studentised
from tasuki.stats.contrast import Estimate
from tasuki.stats.group_sequential import Look, by_look
from tasuki.stats.heterogeneity import heterogeneity
from tasuki.stats.moments import Moments
from tasuki.stats.proportion import newcombe
from tasuki.stats.quantile import levels
from tasuki.stats.sequential import Boundary, always_valid

HELD, ONE_SIDE, FALSE_ALARM, LOOKS = (0.94, 0.96), (0.02, 0.03), (0.04, 0.06), (0.0, 0.05)
TOO_FEW = {"too_few_units", "few_events", "few_denominators", "few_beyond_quantile", "too_skewed"}
MOSTLY = 0.5
DRAWS = 1_000

Array = np.ndarray[Any, np.dtype[np.float64]]
Draw = Callable[[np.random.Generator, int], Array]
CHUNK_NUMBERS = 4_000_000


@dataclass(frozen=True)
class Row:
    """One line of the table: how often something happened, and how often it should.

    Args:
        method: What was tried.
        setting: On which data.
        what: `difference` or `relative` (their intervals hold the truth), or what else was counted.
        share: How often it happened.
        bounds: How often it should.
        experiments: How many were simulated; 0 where nothing was left to chance.
        concern: In which share of them the comparison says that the data are too few.
        is_compared: Whether it is another method's, shown for comparison.
    """

    method: str
    setting: str
    what: str
    share: float
    bounds: tuple[float, float]
    experiments: int
    concern: float = 0.0
    is_compared: bool = False

    @property
    def error(self) -> float:
        """The standard error of the share."""
        return sqrt(max(self.share * (1 - self.share), 1e-9) / self.experiments) if self.experiments else 0.0

    @property
    def is_judged(self) -> bool:
        """Whether the claim is for this row."""
        return self.concern < MOSTLY and not self.is_compared

    def passes(self, errors: float = 0.0) -> bool:
        """Whether the share is within its bounds, give or take so many standard errors."""
        slack = max(errors, 2.0 if self.bounds == LOOKS else 0.0) * self.error
        return not self.is_judged or self.bounds[0] - slack <= self.share <= self.bounds[1] + slack


@dataclass(frozen=True)
class Case:
    """A method on data with a known truth.

    Args:
        name: The method.
        setting: The data, in words.
        bound: The metric.
        control: Draws control: experiments × units × variables.
        treatment: Draws treatment.
        truth: The metric in control and in treatment.
        design: How it is judged.
        with_values: Whether the units' values are at hand, as they are for few units.
        is_compared: Whether it is a method that the product would not take.
    """

    name: str
    setting: str
    bound: BoundMetric
    control: Draw
    treatment: Draw
    truth: tuple[float, float]
    design: Design = field(default_factory=Design)
    with_values: bool = False
    is_compared: bool = False


def metric(kind: str, ratios: tuple[tuple[int, int | None], ...], **more: Any) -> BoundMetric:
    """A metric over drawn variables; every ratio after the first is a covariate."""
    covariates = tuple(Covariate(f"x{k}") for k in range(len(ratios) - 1))
    declared = Metric("m", kind, "x", covariates=covariates, **more)  # type: ignore[arg-type]
    return BoundMetric(declared, (), ratios, None)


def samples_of(drawn: Array, bound: BoundMetric, *, with_values: bool = False) -> Iterator[Sample]:
    """Each experiment's arm as an engine would sum it up."""
    n, quantile = drawn.shape[1], bound.metric.quantile
    means = drawn.mean(axis=1)
    apart = drawn - means[:, None, :]
    spread = np.einsum("sni,snj->sij", apart, apart) / (n - 1)
    at = np.zeros((len(drawn), 3))
    if quantile is not None:
        asked = levels(quantile, n)
        at = np.quantile(drawn[:, :, 0], [asked.low, asked.at, asked.high], axis=1).T
    for s, (mean, matrix, three) in enumerate(zip(means.tolist(), spread.tolist(), at.tolist(), strict=True)):
        moments = Moments(n, tuple(mean), tuple(map(tuple, matrix)))
        values = tuple(map(tuple, drawn[s].tolist())) if with_values else None
        ends = None if with_values else (float(drawn[s, :, 0].min()), float(drawn[s, :, 0].max()))
        yield Sample(moments, quantiles=tuple(three) if quantile is not None else None, values=values, extremes=ends)  # type: ignore[arg-type]


def pairs_of(case: Case, rng: np.random.Generator, experiments: int) -> Iterator[Pair]:
    """Both arms of so many experiments."""
    for size in chunks(experiments, case.control(rng, 1).size + case.treatment(rng, 1).size):
        arms = [
            [
                Cell(name, None, one.moments.n, (one,))
                for one in samples_of(draw(rng, size), case.bound, with_values=case.with_values)
            ]
            for name, draw in (("control", case.control), ("treatment", case.treatment))
        ]
        yield from (Pair(*both) for both in zip(*arms, strict=True))


def are_too_few(pair: Pair, bound: BoundMetric) -> bool:
    """Whether the comparison says so of these data."""
    cells, passed = (pair.control, pair.treatment), SplitTest(None, {}, True)
    said = chain(
        doubts_about_units(Statistics(cells), cells, passed),
        doubts_about_metrics([bound], cells),
        doubts_about_skewness([bound], cells),
    )
    return any(one.code in TOO_FEW for one in said)


def chunks(experiments: int, numbers: int) -> Iterator[int]:
    """Experiments in portions that fit into memory."""
    most = max(1, CHUNK_NUMBERS // numbers)
    for start in range(0, experiments, most):
        yield min(most, experiments - start)


def holds(low: float | None, value: float, high: float | None) -> bool:
    """Whether an interval, maybe open, holds a value."""
    return (low is None or low <= value) and (high is None or value <= high)


def inside(one: Result, control: float, treatment: float) -> tuple[bool, bool]:
    """Whether the intervals of the difference and of the share hold the truth."""
    return (
        holds(one.effect_low, treatment - control, one.effect_high),
        holds(one.relative_low, treatment / control - 1, one.relative_high),
    )


def covered(case: Case, rng: np.random.Generator, experiments: int) -> list[Row]:
    """How often the intervals of the difference and of the share hold the truth."""
    hits, few = np.zeros(2), 0
    for pair in pairs_of(case, rng, experiments):
        hits += inside(effect_of(pair, 0, case.bound, case.design), *case.truth)
        few += are_too_few(pair, case.bound)
    shown = {"bounds": HELD, "experiments": experiments, "concern": few / experiments, "is_compared": case.is_compared}
    return [
        Row(case.name, case.setting, what, hit / experiments, **shown)  # type: ignore[arg-type]
        for what, hit in zip(("difference", "relative"), hits.tolist(), strict=True)
    ]


def sized(case: Case, rng: np.random.Generator, experiments: int) -> list[Row]:
    """How often a guardrail that is worse by exactly its margin is said to hold, at a one-sided level of 2.5 %."""
    wins, few = 0, 0
    for pair in pairs_of(case, rng, experiments):
        wins += (effect_of(pair, 0, case.bound, case.design).p_value_margin or 0.0) < 0.025
        few += are_too_few(pair, case.bound)
    what, share = "false alarm (2.5 %)", wins / experiments
    return [Row(case.name, case.setting, what, share, ONE_SIDE, experiments, few / experiments)]


# ------------------------------------------------------------------------------------------------------- small counts


@cache
def counted(control: tuple[int, int], treatment: tuple[int, int]) -> tuple[Result, bool]:
    """What the comparison says of successes and units, and whether it calls them too few."""
    cells = []
    for name, (k, n) in (("control", control), ("treatment", treatment)):
        moments = Moments(n, (k / n,), ((k / n * (1 - k / n) * n / (n - 1),),))
        cells.append(Cell(name, None, n, (Sample(moments),)))
    pair = Pair(*cells)
    return effect_of(pair, 0, PROPORTION, Design()), are_too_few(pair, PROPORTION)


@dataclass(frozen=True)
class Counts:
    """Two arms whose successes are counted.

    Args:
        units: Of control and of treatment.
        rates: Of control and of treatment.
    """

    units: tuple[int, int]
    rates: tuple[float, float]

    @property
    def setting(self) -> str:
        """In words."""
        return f"{self.rates[0]:.3g} and {self.rates[1]:.3g} of {self.units[0]:,} + {self.units[1]:,}"

    def simulated(self, rng: np.random.Generator, experiments: int) -> list[Row]:
        """How often the intervals hold the truth, and for comparison Newcombe's of the difference."""
        drawn = [rng.binomial(n, p, experiments).tolist() for n, p in zip(self.units, self.rates, strict=True)]
        hits, few, hybrid = np.zeros(2), 0, 0
        for c, t in zip(*drawn, strict=True):
            control, treatment = (c, self.units[0]), (t, self.units[1])
            one, is_few = counted(control, treatment)
            hits, few = hits + inside(one, *self.rates), few + is_few
            hybrid += holds(
                newcombe(control, treatment)[0], self.rates[1] - self.rates[0], newcombe(control, treatment)[1]
            )
        row = partial(Row, setting=self.setting, bounds=HELD, experiments=experiments, concern=few / experiments)
        return [
            row("score", what="difference", share=hits[0] / experiments),
            row("score", what="relative", share=hits[1] / experiments),
            row("for comparison: newcombe", what="difference", share=hybrid / experiments, is_compared=True),
        ]

    def exact(self) -> tuple[Array, float]:
        """How often the intervals hold the truth over all counts that can come, and the share with a concern."""
        spans = [_weighed(n, p) for n, p in zip(self.units, self.rates, strict=True)]
        held, few, total = np.zeros(2), 0.0, 0.0
        for (c, first), (t, second) in product(*spans):
            weight = first * second
            if weight > 1e-8:
                one, is_few = counted((c, self.units[0]), (t, self.units[1]))
                held, few, total = (
                    held + weight * np.array(inside(one, *self.rates)),
                    few + weight * is_few,
                    total + weight,
                )
        return held / total, few / total


def _weighed(n: int, p: float) -> list[tuple[int, float]]:
    return [(k, w) for k in range(n + 1) if (w := comb(n, k) * p**k * (1 - p) ** (n - k)) > 1e-7]


def exactly() -> list[Row]:
    """The lowest and the highest exact coverage over settings that are not too few, and how many those are."""
    grid = [
        Counts(units, (p, p * lift))
        for units in ((100, 100), (250, 350), (400, 400), (600, 60), (100, 900), (1_000, 300))
        for p in (0.01, 0.02, 0.05, 0.1)
        for lift in (1.0, 1.3)
    ]
    found = [
        held
        for held, few in (one.exact() for one in grid if min(np.multiply(one.units, one.rates)) > 2)
        if few < MOSTLY
    ]
    low, high = np.min(found, axis=0), np.max(found, axis=0)
    return [
        Row("score, exact", f"{end} of {len(found)} settings, 60 to 1,000 units, 1 to 13 %", what, share, HELD, 0)
        for end, both in (("lowest", low), ("highest", high))
        for what, share in zip(("difference", "relative"), both.tolist(), strict=True)
    ]


def drawn_anew(rng: np.random.Generator, experiments: int) -> list[Row]:
    """Each experiment with a truth and a size of its own: rates 1 to 20 %, lifts ⅔ to 1½, 100 to 2,000 units."""
    hits, clear, few = np.zeros(2), np.zeros(2), 0
    for _ in range(experiments):
        p, lift = 0.01 * 20 ** rng.random(), 1.5 ** rng.uniform(-1, 1)
        units = [int(100 * 20 ** rng.random()) for _ in range(2)]
        counts = [(int(rng.binomial(n, rate)), n) for n, rate in zip(units, (p, p * lift), strict=True)]
        one, is_few = counted.__wrapped__(*counts)
        held = np.array(inside(one, p, p * lift))
        hits, clear, few = hits + held, clear + held * (not is_few), few + is_few
    said = "truth drawn anew, {}: 1 to 20 %, lifts ⅔ to 1½, 100 to 2,000 units"
    whats = ("difference", "relative")
    all_of_them = [
        Row("score", said.format("all"), what, share / experiments, HELD, experiments, few / experiments)
        for what, share in zip(whats, hits.tolist(), strict=True)
    ]
    rest = experiments - few
    return [
        *all_of_them,
        *(
            Row("score", said.format("without a concern"), what, share / rest, HELD, rest)
            for what, share in zip(whats, clear.tolist(), strict=True)
        ),
    ]


# ---------------------------------------------------------------------------------------------------------------- data


def gamma(shape: float, mean: float, n: int) -> Draw:
    """Skewed amounts."""
    return lambda rng, size: rng.gamma(shape, mean / shape, (size, n, 1))


def lognormal(sigma: float, mean: float, n: int) -> Draw:
    """Amounts with a heavy tail."""
    return lambda rng, size: mean * np.exp(rng.standard_normal((size, n, 1)) * sigma - sigma**2 / 2)


def coins(low: float, n: int) -> Draw:
    """Whether something happened."""
    return lambda rng, size: (rng.random((size, n, 1)) < low).astype(float)


def clicks(rate: float, n: int, past: float | None = None) -> Draw:
    """Clicks and views of units; taste and business are independent, so the ratio of sums is the rate.

    With `past` also clicks and views from before the start, at that rate in either arm.
    """

    def draw(rng: np.random.Generator, size: int) -> Array:
        taste = rng.beta(2.0, 2.0 / (past or rate) - 2.0, (size, n))
        busy = rng.gamma(2.0, 4.0, (size, n))
        columns: list[Array] = []
        for lift in (rate / past, 1.0) if past else (1.0,):
            views = rng.poisson(busy) + 1
            columns += [rng.binomial(views, np.minimum(taste * lift, 1.0)).astype(float), views.astype(float)]
        return np.stack(columns, axis=2)

    return draw


def baskets(share: float, shape: float, n: int) -> Draw:
    """Revenue and orders of units of which few order, one to three times: gamma amounts of mean 1 per order."""

    def draw(rng: np.random.Generator, size: int) -> Array:
        orders = (rng.random((size, n)) < share) * rng.integers(1, 4, (size, n)).astype(float)
        return np.stack([rng.gamma(np.maximum(orders * shape, 1e-12), 1 / shape) * (orders > 0), orders], axis=2)

    return draw


def adjusted_amounts(shift: float, n: int) -> Draw:
    """An amount that two earlier ones foretell."""

    def draw(rng: np.random.Generator, size: int) -> Array:
        first, second = rng.gamma(2.0, 5.0, (size, n)), rng.exponential(3.0, (size, n))
        amount = 0.6 * first + 0.3 * second + rng.gamma(1.0, 3.0, (size, n)) + shift
        return np.stack([amount, first, second], axis=2)

    return draw


def clusters(shift: float, n: int) -> Draw:
    """Sums and counts of clusters of 1 to 20 members who resemble each other and whose level goes with their number."""

    def draw(rng: np.random.Generator, size: int) -> Array:
        members = rng.integers(1, 21, (size, n)).astype(float)
        level = 5.0 + shift + 0.1 * (members - 10.5) + rng.standard_normal((size, n))
        return np.stack([members * level + 2.0 * np.sqrt(members) * rng.standard_normal((size, n)), members], axis=2)

    return draw


# members 1..20: E[m] = 10.5, E[m²] = 143.5, so the ratio of sums is 5 + 0.1·(143.5/10.5 − 10.5) + shift.
CLUSTER_LEVEL = 5.0 + 0.1 * (143.5 / 10.5 - 10.5)
MEAN, PROPORTION, RATIO = (
    metric("mean", ((0, None),)),
    metric("proportion", ((0, None),)),
    metric("ratio", ((0, 1),)),
)
CUPED = metric("mean", ((0, None), (1, None), (2, None)))
CUPED_RATIO = metric("ratio", ((0, 1), (2, 3)))
MEDIAN, HIGH = (metric("quantile", ((0, None),), quantile=q) for q in (0.5, 0.9))


def guarded(bound: BoundMetric, margin: Margin) -> BoundMetric:
    """The metric as a guardrail."""
    return replace(bound, metric=replace(bound.metric, margin=margin))


AMOUNT = 9.9  # the mean of `adjusted_amounts` without a shift
DEVIATION = sqrt(0.36 * 50 + 0.09 * 9 + 9)


def cases() -> list[Case]:
    """Every method with an interval that one call gives, on data that are enough, or not quite."""
    tail = 1.2815515655446004  # the normal's 90th percentile
    drawn = Design(method="bootstrap")
    return [
        Case("welch", "gamma, 300 + 500 units", MEAN, gamma(1.0, 5.0, 300), gamma(0.5, 6.0, 500), (5.0, 6.0)),
        Case("welch", "lognormal σ 1, 1,000 + 1,000", MEAN, lognormal(1, 5, 1000), lognormal(1, 5.5, 1000), (5.0, 5.5)),
        Case("welch", "gamma, 9,000 + 1,000", MEAN, gamma(1.0, 5.0, 9000), gamma(1.0, 5.0, 1000), (5.0, 5.0)),
        Case("welch", "lognormal σ 1.5, 3,000 + 500", MEAN, lognormal(1.5, 5, 3000), lognormal(1.5, 5, 500),
             (5.0, 5.0)),
        Case("welch (proportion)", "30 % and 33 %, 1,000 + 600", PROPORTION, coins(0.3, 1000), coins(0.33, 600),
             (0.3, 0.33)),
        Case("delta (ratio)", "clicks per view, 400 + 600", RATIO, clicks(0.1, 400), clicks(0.12, 600), (0.1, 0.12)),
        *(
            Case("delta (ratio), few order", f"revenue per order, {n:,} + {n:,} of which {share:.2g} order", RATIO,
                 baskets(share, shape, n), baskets(share, shape, n), (1.0, 1.0))
            for n, share, shape in ((600, 0.1, 1.0), (600, 0.07, 4.0), (6_000, 0.01, 2.0), (6_000, 0.005, 1.0),
                                    (600, 0.03, 1.0), (600, 1 / 120, 1.0), (6_000, 1 / 1_500, 1.0))
        ),
        Case("cuped", "two covariates, 150 + 250", CUPED, adjusted_amounts(0, 150), adjusted_amounts(1, 250),
             (AMOUNT, AMOUNT + 1)),
        Case("cuped", "two covariates, 150 + 250, an effect of 5 deviations", CUPED, adjusted_amounts(0, 150),
             adjusted_amounts(5 * DEVIATION, 250), (AMOUNT, AMOUNT + 5 * DEVIATION)),
        Case("cuped (ratio)", "past ratio, 400 + 600", CUPED_RATIO, clicks(0.1, 400, past=0.1),
             clicks(0.11, 600, past=0.1), (0.1, 0.11)),
        Case("clusters", "120 + 120 clusters of 1 to 20", RATIO, clusters(0.0, 120), clusters(0.3, 120),
             (CLUSTER_LEVEL, CLUSTER_LEVEL + 0.3)),
        Case("woodruff (median)", "lognormal σ 1, 300 + 400", MEDIAN, lognormal(1, exp(0.5), 300),
             lognormal(1, 1.1 * exp(0.5), 400), (1.0, 1.1)),
        Case("woodruff (90th percentile)", "lognormal σ 1, 500 + 500", HIGH, lognormal(1, exp(0.5), 500),
             lognormal(1, 1.1 * exp(0.5), 500), (exp(tail), 1.1 * exp(tail))),
        Case("bootstrap where skewed", "gamma, 500 + 120 units", MEAN, gamma(1.0, 5.0, 500), gamma(1.0, 5.0, 120),
             (5.0, 5.0), with_values=True),
        Case("bootstrap where skewed", "gamma of shape ½, 1,000 + 200", MEAN, gamma(0.5, 5.0, 1000),
             gamma(0.5, 5.0, 200), (5.0, 5.0), with_values=True),
        Case("bootstrap (on request)", "gamma, 120 + 160 units", MEAN, gamma(1.0, 5.0, 120), gamma(1.0, 6.0, 160),
             (5.0, 6.0), drawn, with_values=True),
        Case("bootstrap (on request)", "clicks per view, 130 + 110", RATIO, clicks(0.1, 130), clicks(0.12, 110),
             (0.1, 0.12), drawn, with_values=True),
        Case("bootstrap (on request)", "gamma, 60 + 80 units", MEAN, gamma(1.0, 5.0, 60), gamma(1.0, 6.0, 80),
             (5.0, 6.0), drawn, with_values=True),
        Case("bootstrap where skewed", "gamma, 300 + 40 units", MEAN, gamma(1.0, 5.0, 300), gamma(1.0, 5.0, 40),
             (5.0, 5.0), with_values=True),
        Case("bootstrap where skewed", "gamma of shape ½, 400 + 40", MEAN, gamma(0.5, 5.0, 400), gamma(0.5, 5.0, 40),
             (5.0, 5.0), with_values=True),
        Case("bootstrap where skewed", "cuped, 300 + 40", CUPED, adjusted_amounts(0, 300), adjusted_amounts(1, 40),
             (AMOUNT, AMOUNT + 1), with_values=True),
        Case("bootstrap where skewed", "lognormal σ 1, 900 + 120", MEAN, lognormal(1, 5, 900), lognormal(1, 5, 120),
             (5.0, 5.0), with_values=True),
        Case("for comparison: welch", "gamma of shape ½, 1,000 + 200", MEAN, gamma(0.5, 5.0, 1000),
             gamma(0.5, 5.0, 200), (5.0, 5.0), is_compared=True),
        Case("for comparison: welch", "gamma of shape ½, 400 + 40", MEAN, gamma(0.5, 5.0, 400), gamma(0.5, 5.0, 40),
             (5.0, 5.0), is_compared=True),
    ]  # fmt: skip


def small_counts() -> list[Counts]:
    """Settings around the fewest successes that are enough."""
    return [
        Counts((500, 500), (0.03, 0.036)), Counts((1_000, 100), (0.1, 0.1)), Counts((150, 180), (0.06, 0.09)),
        Counts((250, 350), (0.03, 0.03)), Counts((250, 350), (0.01, 0.02)), Counts((100, 120), (0.04, 0.07)),
    ]  # fmt: skip


def guardrails() -> list[Case]:
    """Guardrails that are worse by exactly their margin."""
    absolute, share = Margin(0.5), Margin(0.1, is_relative=True)
    return [
        Case("non-inferiority", "gamma, 300 + 500, margin 0.5", guarded(MEAN, absolute), gamma(1.0, 5.0, 300),
             gamma(1.0, 4.5, 500), (5.0, 4.5)),
        Case("non-inferiority", "gamma, 500 + 500, margin 10 %", guarded(MEAN, share), gamma(1.0, 5.0, 500),
             gamma(1.0, 4.5, 500), (5.0, 4.5)),
        Case("non-inferiority (ratio)", "clicks per view, 600 + 600, margin 10 %", guarded(RATIO, share),
             clicks(0.1, 600), clicks(0.09, 600), (0.1, 0.09)),
        Case("non-inferiority (proportion)", "20 % and 18 %, 2,000 + 2,000, margin 10 %", guarded(PROPORTION, share),
             coins(0.20, 2000), coins(0.18, 2000), (0.2, 0.18)),
        Case("non-inferiority (score)", "6 % and 4 %, 200 + 250, margin 2 points", guarded(PROPORTION, Margin(0.02)),
             coins(0.06, 200), coins(0.04, 250), (0.06, 0.04)),
        Case("non-inferiority (score)", "8 % and 6.4 %, 900 + 150, margin 20 %",
             guarded(PROPORTION, Margin(0.2, is_relative=True)), coins(0.08, 900), coins(0.064, 150), (0.08, 0.064)),
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------- strata and segments

SHARES, LEVELS, GAINS = np.array([0.4, 0.3, 0.2, 0.1]), np.array([2.0, 6.0, 12.0, 30.0]), np.array([0.0, 0.5, 1.0, 3.0])


def stratified(rng: np.random.Generator, experiments: int) -> list[Row]:
    """Strata of chance sizes whose effects differ, and the truth of all units that could have come."""
    n, hits, relative = 600, 0, 0
    truth = float(SHARES @ LEVELS), float(SHARES @ (LEVELS + GAINS))
    for _ in range(experiments):
        stratum, arm = rng.choice(4, n, p=SHARES), rng.random(n) < 0.4
        value = LEVELS[stratum] + GAINS[stratum] * arm + rng.gamma(1.0, 4.0, n) - 4.0
        cells = [tuple(_cell(value[(stratum == h) & (arm == at)], h) for at in (False, True)) for h in range(4)]
        both = [_cell(value[arm == at], None) for at in (False, True)]
        one = effect_of(Pair(both[0], both[1], tuple(cells)), 0, MEAN, Design())  # type: ignore[arg-type]
        assert one.method == "stratified+welch"
        hits += holds(one.effect_low, truth[1] - truth[0], one.effect_high)
        relative += holds(one.relative_low, truth[1] / truth[0] - 1, one.relative_high)
    row = partial(Row, "stratified", "4 strata, 240 + 360 units, effects differ", bounds=HELD)
    return [
        row("difference", share=hits / experiments, experiments=experiments),
        row("relative", share=relative / experiments, experiments=experiments),
    ]


def _cell(values: Array, stratum: int | None) -> Cell:
    moments = Moments(len(values), (float(values.mean()),), ((float(values.var(ddof=1)),),))
    return Cell("a", None if stratum is None else ("h", str(stratum)), len(values), (Sample(moments),))


def segments(rng: np.random.Generator, experiments: int) -> list[Row]:
    """How often segments whose effects are the same are said to differ, at 5 %."""
    found = 0
    for size in chunks(experiments, 5 * 2 * 200):
        drawn = rng.gamma(1.0, 4.0, (size, 5, 2, 200))
        means, spread = drawn.mean(axis=3), drawn.var(axis=3, ddof=1) / 200
        effects, errors = means[:, :, 1] - means[:, :, 0], np.sqrt(spread.sum(axis=2))
        found += sum(
            heterogeneity(one, error).p_value < 0.05
            for one, error in zip(effects.tolist(), errors.tolist(), strict=True)
        )
    setting = "5 segments, 200 + 200 units each, same effect"
    return [Row("Cochran's Q", setting, "false alarm (5 %)", found / experiments, FALSE_ALARM, experiments)]


# ----------------------------------------------------------------------------------------------------------- many looks


def paths(draw: Draw, rng: np.random.Generator, size: int, per_look: int) -> tuple[Array, Array, Array]:
    """At every look: the difference in standard errors, the units so far, and whether there is any variance.

    Both arms are drawn from the same source, so that there is no effect. With two variables their ratio is compared.
    """
    values = []
    for _ in range(2):
        drawn = draw(rng, size)
        n, k = drawn.shape[1], drawn.shape[2]
        centre = drawn.mean(axis=(0, 1))
        blocks = (drawn - centre).reshape(size, n // per_look, per_look, k)
        count = np.arange(1, n // per_look + 1) * per_look
        means = np.cumsum(blocks.sum(axis=2), axis=1) / count[:, None]
        products = np.cumsum(np.einsum("slni,slnj->slij", blocks, blocks), axis=1) / count[:, None, None]
        spread = (products - means[..., :, None] * means[..., None, :]) * (count / (count - 1))[:, None, None]
        means = means + centre
        if k == 1:
            values.append((means[..., 0], spread[..., 0, 0] / count))
        else:
            value = means[..., 0] / means[..., 1]
            linear = spread[..., 0, 0] - 2 * value * spread[..., 0, 1] + value**2 * spread[..., 1, 1]
            values.append((value, linear / means[..., 1] ** 2 / count))
    (c, v_c), (t, v_t) = values
    error = np.sqrt(np.maximum(v_c + v_t, 0.0))
    statistic = np.divide(t - c, error, out=np.zeros_like(error), where=error > 0)
    return statistic, 2 * count, np.stack([c, v_c, t, v_t])


def looked(
    name: str, setting: str, draw: Draw, per_look: int, tuning: int, rng: np.random.Generator, experiments: int
) -> list[Row]:
    """How often an experiment without an effect is ever called significant."""
    found = 0
    for size in chunks(experiments, 4 * draw(rng, 1).size):
        statistic, units, arms = paths(draw, rng, size, per_look)
        criticals = np.array([Boundary(int(n), 0.05, tuning).critical for n in units])
        found += int((np.abs(statistic) > criticals).any(axis=1).sum())
        _require_same(arms[:, 0], units, tuning, np.abs(statistic[0]) > criticals)
    what = "ever a false alarm (≤ 5 %)"
    return [Row(name, setting, what, found / experiments, LOOKS, experiments)]


def _require_same(arms: Array, units: Array, tuning: int, beyond: Array) -> None:
    """The boundary in numpy says what `always_valid` says: one experiment of every portion is judged by both."""
    for at, n in enumerate(units.tolist()):
        c, v_c, t, v_t = (float(one[at]) for one in arms)
        if v_c + v_t > 0:
            found = always_valid(Estimate(c, v_c, n // 2), Estimate(t, v_t, n // 2), 0.05, tuning)
            assert (found.low > 0 or found.high < 0) == bool(beyond[at])


def planned(
    name: str, setting: str, draw: Draw, spending: str, rng: np.random.Generator, experiments: int
) -> list[Row]:
    """How often an experiment without an effect is called significant at any of five planned looks."""
    found, fractions = 0, (0.2, 0.4, 0.6, 0.8, 1.0)
    n = draw(rng, 1).shape[1]
    criticals = np.array(
        [
            by_look(Look(0.05, fractions[:k], spending), 2 * (n * fractions[k - 1] - 1)).critical  # type: ignore[arg-type]
            for k in range(1, 6)
        ]
    )
    for size in chunks(experiments, 4 * draw(rng, 1).size):
        statistic, _, _ = paths(draw, rng, size, n // 5)
        found += int((np.abs(statistic) > criticals).any(axis=1).sum())
    return [Row(name, setting, "ever a false alarm (≤ 5 %)", found / experiments, LOOKS, experiments)]


Job = Callable[[np.random.Generator, int], list[Row]]


def jobs() -> list[tuple[str, Job]]:
    """Everything that is measured, by name."""
    found: list[tuple[str, Job]] = [(f"{case.name} {case.setting}", partial(covered, case)) for case in cases()]
    found += [(f"score {one.setting}", one.simulated) for one in small_counts()]
    found += [("score, exact", lambda _rng, _experiments: exactly()), ("score, truth drawn anew", drawn_anew)]
    found += [("stratified", stratified), ("segments", segments)]
    found += [(f"{case.name} {case.setting}", partial(sized, case)) for case in guardrails()]
    many = "100 looks, one after every 1 %"
    normal: Draw = lambda rng, size: rng.standard_normal((size, 5_000, 1))  # noqa: E731
    for name, setting, draw, per_look, tuning in (
        ("always-valid", f"normal, {many} of 10,000 units", normal, 50, 5_000),
        ("always-valid", f"lognormal σ 1.5, {many} of 10,000", lognormal(1.5, 1.0, 5_000), 50, 5_000),
        ("always-valid", f"2 % happen, {many} of 10,000", coins(0.02, 5_000), 50, 5_000),
        ("always-valid (ratio)", f"clicks per view, {many} of 2,000", clicks(0.1, 1_000), 10, 2_000),
        ("always-valid", "lognormal σ 1, early: after every 10 of 1,000, tuned to 500", lognormal(1, 1, 500), 5, 500),
    ):
        found.append((f"{name} {setting}", partial(looked, name, setting, draw, per_look, tuning)))
    for spending in ("obrien_fleming", "pocock"):
        setting = f"{spending}, gamma, 5 looks, 2,000 units"
        job = partial(planned, "group-sequential", setting, gamma(1.0, 1.0, 1_000), spending)
        found.append((f"group-sequential {setting}", job))
    return found


def measured(experiments: int, seed: int, only: str = "") -> Iterator[Row]:
    """Every row of the table, as it becomes known."""
    effects.studentised = partial(studentised, draws=DRAWS)  # type: ignore[assignment]
    try:
        for name, job in jobs():
            if only.lower() in name.lower():
                # A row's seed is its own: it stays when others come or go.
                yield from job(np.random.default_rng([seed, crc32(name.encode())]), experiments)
    finally:
        effects.studentised = studentised


def line(row: Row, *, passes: bool) -> str:
    """A row as Markdown."""
    should = f"{row.bounds[0]:.0%} to {row.bounds[1]:.0%}" if row.is_judged else "not judged"
    error = f" ± {row.error:.2%}" if row.experiments else ""
    concern = f"{row.concern:.0%}" if row.concern else ""
    said = "" if passes else "outside"
    return f"| {row.method} | {row.setting} | {row.what} | {row.share:.2%}{error} | {should} | {concern} | {said} |"


def main() -> int:
    """Prints the table; 1 when a figure that is judged is outside its bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="500 experiments; bounds widened by three errors")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this word")
    asked = parser.parse_args()
    experiments = 500 if asked.quick else asked.experiments
    started, rows = time.perf_counter(), []
    print("| method | data | what | measured | should be | concern | |\n|---|---|---|---|---|---|---|")
    for row in measured(experiments, asked.seed, asked.only):
        passes = row.passes(3.0 if asked.quick else 0.0)
        rows.append((row.is_judged, passes))
        print(line(row, passes=passes), flush=True)
    judged, outside = sum(one for one, _ in rows), sum(not one for _, one in rows)
    print(f"\n{experiments:,} experiments each, {time.perf_counter() - started:.0f} s")
    print(f"{judged} rows judged, {outside} outside")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
