"""Do 95 % intervals hold the truth 95 times in 100? Simulated experiments, through the functions that compare arms.

    python benchmarks/coverage.py [--experiments 20000] [--quick] [--seed 1] [--only WORD]

Every experiment is drawn with a known truth, summed up to moments (as an engine would) and handed to `effect_of`; many
looks are judged by the boundaries that the project computes. Prints a table in Markdown and ends with 1 when a figure
is outside its bounds by more than twice its own error. Takes about five minutes on one core; `--quick` half a minute.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from math import exp, sqrt
from typing import Any

import numpy as np

from tasuki.experiments.comparison import Result
from tasuki.experiments.design import Design
from tasuki.experiments.effects import Pair, effect_of
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.metric import Covariate, Margin, Metric
from tasuki.metrics.statistics import Cell, Sample
from tasuki.stats.contrast import Estimate
from tasuki.stats.group_sequential import Look, by_look
from tasuki.stats.heterogeneity import heterogeneity
from tasuki.stats.moments import Moments
from tasuki.stats.quantile import levels
from tasuki.stats.sequential import Boundary, always_valid

CAUTIOUS = (0.94, 0.97)
"""Counts of a few are discrete: an interval that holds at least 95 % everywhere must hold more here and there."""
FEW = (0.93, 0.96)
"""What is claimed for some dozens of skewed units: below 94 %, and docs/benchmarks.md says so."""

Array = np.ndarray[Any, np.dtype[np.float64]]
Draw = Callable[[np.random.Generator, int], Array]
CHUNK_NUMBERS = 4_000_000


@dataclass(frozen=True)
class Row:
    """One line of the table: how often something happened, and how often it should.

    Args:
        method: What was tried.
        setting: On which data.
        what: `holds the truth`, or what else was counted.
        share: How often it happened.
        low: The least that is accepted.
        high: The most that is accepted.
        experiments: How many were simulated.
    """

    method: str
    setting: str
    what: str
    share: float
    low: float
    high: float
    experiments: int

    @property
    def error(self) -> float:
        """The standard error of the share."""
        return sqrt(max(self.share * (1 - self.share), 1e-9) / self.experiments)

    def passes(self, errors: float = 0.0) -> bool:
        """Whether the share is within its bounds, give or take so many standard errors."""
        return self.low - errors * self.error <= self.share <= self.high + errors * self.error


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
        bounds: How often the truth shall be held.
    """

    name: str
    setting: str
    bound: BoundMetric
    control: Draw
    treatment: Draw
    truth: tuple[float, float]
    design: Design = field(default_factory=Design)
    with_values: bool = False
    bounds: tuple[float, float] = (0.94, 0.96)


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
        yield Sample(moments, quantiles=tuple(three) if quantile is not None else None, values=values)  # type: ignore[arg-type]


def results_of(case: Case, rng: np.random.Generator, experiments: int) -> Iterator[Result]:
    """The results of so many experiments."""
    for size in chunks(experiments, case.control(rng, 1).size + case.treatment(rng, 1).size):
        arms = [
            [
                Cell(name, None, one.moments.n, (one,))
                for one in samples_of(draw(rng, size), case.bound, with_values=case.with_values)
            ]
            for name, draw in (("control", case.control), ("treatment", case.treatment))
        ]
        for control, treatment in zip(*arms, strict=True):
            yield effect_of(Pair(control, treatment), 0, case.bound, case.design)


def chunks(experiments: int, numbers: int) -> Iterator[int]:
    """Experiments in portions that fit into memory."""
    most = max(1, CHUNK_NUMBERS // numbers)
    for start in range(0, experiments, most):
        yield min(most, experiments - start)


def holds(low: float | None, value: float, high: float | None) -> bool:
    """Whether an interval, maybe open, holds a value."""
    return (low is None or low <= value) and (high is None or value <= high)


def covered(case: Case, rng: np.random.Generator, experiments: int) -> list[Row]:
    """How often the intervals of the difference and of the share hold the truth."""
    control, treatment = case.truth
    hits, relative = 0, 0
    for one in results_of(case, rng, experiments):
        hits += holds(one.effect_low, treatment - control, one.effect_high)
        relative += holds(one.relative_low, treatment / control - 1, one.relative_high)
    low, high = case.bounds
    row = partial(Row, case.name, case.setting, low=low, high=high, experiments=experiments)
    return [row("difference", hits / experiments), row("relative", relative / experiments)]


def sized(case: Case, rng: np.random.Generator, experiments: int) -> list[Row]:
    """How often a guardrail that is worse by exactly its margin is said to hold, at a one-sided level of 2.5 %."""
    wins = sum((one.p_value_margin or 0.0) < 0.025 for one in results_of(case, rng, experiments))
    return [Row(case.name, case.setting, "false alarm (2.5 %)", wins / experiments, *case.bounds, experiments)]


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


def cases() -> list[Case]:
    """Every method with an interval that one call gives."""
    tail = 1.2815515655446004  # the normal's 90th percentile
    return [
        Case("welch", "gamma, 300 + 500 units", MEAN, gamma(1.0, 5.0, 300), gamma(0.5, 6.0, 500), (5.0, 6.0)),
        Case("welch", "lognormal σ 1, 1,000 + 1,000", MEAN, lognormal(1, 5, 1000), lognormal(1, 5.5, 1000), (5.0, 5.5)),
        Case("welch (proportion)", "5 % and 6 %, 2,000 + 2,000", PROPORTION, coins(0.05, 2000), coins(0.06, 2000),
             (0.05, 0.06)),
        Case("newcombe", "4 % and 7 %, 100 + 120", PROPORTION, coins(0.04, 100), coins(0.07, 120), (0.04, 0.07),
             bounds=CAUTIOUS),
        Case("newcombe", "2 % and 3 %, 250 + 350", PROPORTION, coins(0.02, 250), coins(0.03, 350), (0.02, 0.03),
             bounds=CAUTIOUS),
        Case("newcombe", "1 % and 2 %, 250 + 350", PROPORTION, coins(0.01, 250), coins(0.02, 350), (0.01, 0.02),
             bounds=CAUTIOUS),
        Case("delta (ratio)", "clicks per view, 400 + 600", RATIO, clicks(0.1, 400), clicks(0.12, 600), (0.1, 0.12)),
        Case("cuped", "two covariates, 150 + 250", CUPED, adjusted_amounts(0, 150), adjusted_amounts(1, 250),
             (6.9 + 3.0, 7.9 + 3.0)),
        Case("cuped (ratio)", "past ratio, 400 + 600", CUPED_RATIO, clicks(0.1, 400, past=0.1),
             clicks(0.11, 600, past=0.1), (0.1, 0.11)),
        Case("clusters", "120 + 120 clusters of 1 to 20", RATIO, clusters(0.0, 120), clusters(0.3, 120),
             (CLUSTER_LEVEL, CLUSTER_LEVEL + 0.3)),
        Case("woodruff (median)", "lognormal σ 1, 300 + 400", MEDIAN, lognormal(1, exp(0.5), 300),
             lognormal(1, 1.1 * exp(0.5), 400), (1.0, 1.1)),
        Case("woodruff (90th percentile)", "lognormal σ 1, 500 + 500", HIGH, lognormal(1, exp(0.5), 500),
             lognormal(1, 1.1 * exp(0.5), 500), (exp(tail), 1.1 * exp(tail))),
        Case("bootstrap (few and unequal)", "gamma, 300 + 40 units, t where it fits", MEAN, gamma(1.0, 5.0, 300),
             gamma(1.0, 5.0, 40), (5.0, 5.0), with_values=True),
        Case("bootstrap (few and unequal)", "gamma of shape ½, 400 + 40 units", MEAN, gamma(0.5, 5.0, 400),
             gamma(0.5, 5.0, 40), (5.0, 5.0), with_values=True, bounds=FEW),
        Case("bootstrap (few and unequal)", "cuped, 300 + 40 units", CUPED, adjusted_amounts(0, 300),
             adjusted_amounts(1, 40), (9.9, 10.9), with_values=True, bounds=FEW),
        Case("bootstrap (on request)", "gamma, 60 + 80 units", MEAN, gamma(1.0, 5.0, 60), gamma(1.0, 6.0, 80),
             (5.0, 6.0), Design(method="bootstrap"), with_values=True, bounds=FEW),
        Case("bootstrap (on request)", "gamma, 120 + 160 units", MEAN, gamma(1.0, 5.0, 120), gamma(1.0, 6.0, 160),
             (5.0, 6.0), Design(method="bootstrap"), with_values=True),
        Case("bootstrap (ratio)", "clicks per view, 100 + 80, on request", RATIO, clicks(0.1, 100), clicks(0.12, 80),
             (0.1, 0.12), Design(method="bootstrap"), with_values=True),
        Case("for comparison: welch", "gamma of shape ½, 400 + 40 units", MEAN, gamma(0.5, 5.0, 400),
             gamma(0.5, 5.0, 40), (5.0, 5.0), bounds=(0.0, 1.0)),
        Case("for comparison: welch", "gamma, 300 + 40 units", MEAN, gamma(1.0, 5.0, 300), gamma(1.0, 5.0, 40),
             (5.0, 5.0), bounds=(0.0, 1.0)),
    ]  # fmt: skip


def guardrails() -> list[Case]:
    """Guardrails that are worse by exactly their margin."""
    size = (0.02, 0.03)
    absolute, share = Margin(0.5), Margin(0.1, is_relative=True)
    return [
        Case("non-inferiority", "gamma, 300 + 500, margin 0.5", guarded(MEAN, absolute), gamma(1.0, 5.0, 300),
             gamma(1.0, 4.5, 500), (5.0, 4.5), bounds=size),
        Case("non-inferiority", "gamma, 500 + 500, margin 10 %", guarded(MEAN, share), gamma(1.0, 5.0, 500),
             gamma(1.0, 4.5, 500), (5.0, 4.5), bounds=size),
        Case("non-inferiority (ratio)", "clicks per view, 600 + 600, margin 10 %", guarded(RATIO, share),
             clicks(0.1, 600), clicks(0.09, 600), (0.1, 0.09), bounds=size),
        Case("non-inferiority (proportion)", "20 % and 18 %, 2,000 + 2,000, margin 10 %", guarded(PROPORTION, share),
             coins(0.20, 2000), coins(0.18, 2000), (0.2, 0.18), bounds=size),
        Case("non-inferiority (newcombe)", "6 % and 4 %, 120 + 150, margin 2 points", guarded(PROPORTION, Margin(0.02)),
             coins(0.06, 120), coins(0.04, 150), (0.06, 0.04), bounds=(0.01, 0.03)),
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
    row = partial(Row, "stratified", "4 strata, 240 + 360 units, effects differ", low=0.94, high=0.96)
    return [
        row("difference", hits / experiments, experiments=experiments),
        row("relative", relative / experiments, experiments=experiments),
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
    return [Row("Cochran's Q", setting, "false alarm (5 %)", found / experiments, 0.04, 0.06, experiments)]


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
    return [Row(name, setting, what, found / experiments, 0.0, 0.05, experiments)]


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
    return [Row(name, setting, "ever a false alarm (5 %)", found / experiments, 0.045, 0.05, experiments)]


Job = Callable[[np.random.Generator, int], list[Row]]


def jobs() -> list[tuple[str, Job]]:
    """Everything that is measured, by name."""
    found: list[tuple[str, Job]] = [(f"{case.name} {case.setting}", partial(covered, case)) for case in cases()]
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
    for at, (name, job) in enumerate(jobs()):
        if only.lower() in name.lower():
            yield from job(np.random.default_rng([seed, at]), experiments)


def main() -> int:
    """Prints the table; 1 when a figure is outside its bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="1,000 experiments; bounds widened by three errors")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name holds this word")
    asked = parser.parse_args()
    experiments = 1_000 if asked.quick else asked.experiments
    started, outside = time.perf_counter(), 0
    print("| method | data | what | measured | should be | |\n|---|---|---|---|---|---|")
    for row in measured(experiments, asked.seed, asked.only):
        passes = row.passes(3.0 if asked.quick else 2.0)
        outside += not passes
        should = f"{row.low:.1%} to {row.high:.1%}"
        said = "" if passes else "outside"
        print(f"| {row.method} | {row.setting} | {row.what} | {row.share:.2%} ± {row.error:.2%} | {should} | {said} |")
        sys.stdout.flush()
    print(f"\n{experiments:,} experiments each, {time.perf_counter() - started:.0f} s")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
