"""Single units that carry an effect, or hide it: leave the farthest one of an arm out and compare again. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tasuki.experiments.design import Design
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.farthest import pulled_pair
from tasuki.metrics.statistics import Cell, Sample
from tasuki.stats.concern import Concern
from tasuki.stats.contrast import Estimate, standard_error, welch
from tasuki.stats.moments import Moments

CARRIES = 0.2
"""A unit that moves the effect by more than this share of its standard error is more than one of many."""
MAKES = 2.0
"""A unit that moves the effect by more than so many standard errors of the other units makes it, significant or not."""
TURNS = 1.0
"""The same, where the effect has the opposite sign without the unit."""
LEAST_UNITS = 3
"""With fewer, nothing is left to compare without one of them."""


def could_carry(sample: Sample, bound: BoundMetric) -> bool:
    """Whether a unit of the arm may move its ratio so far that the units must be looked at.

    Formula: without a unit of n over d the ratio r = N/D moves by |n − r·d|/|D − d|, at most
        (max|n| + |r|·max|d|)/(|D| − max|d|). A unit that holds the share f of an arm's variance moves the ratio by
        about √f of its standard error, so one that moves it by less than `CARRIES` leaves the error as it is.
    Checked against: every unit left out in turn, in plain Python.
    """
    pair = pulled_pair(bound)
    if pair is None or sample.reach is None or sample.moments.n < LEAST_UNITS:
        return False
    two = _two(sample.moments, pair)
    whole = _ratio(two)
    if whole.variance == 0:
        return False  # no unit differs from the ratio
    rest = two.n * abs(two.means[1]) - sample.reach[1]
    most = sample.reach[0] + abs(whole.value) * sample.reach[1]
    # Also where the rest is none or not known: then nothing is ruled out.
    return not (rest > 0 and most / rest <= CARRIES * whole.variance**0.5)


def doubts_about_outliers(
    metrics: Sequence[BoundMetric], totals: Sequence[Cell], design: Design, clusters: bool = False
) -> Iterator[Concern]:
    """Units that carry the effect of a mean or a ratio (with clusters: clusters that do).

    Over all units as they are; what strata, covariates or a rule for looks do is left aside.
    """
    for i, bound in enumerate(metrics):
        for cell in totals[1:]:
            arms = (totals[0], cell)
            if min(one.samples[i].moments.n for one in arms) < LEAST_UNITS:
                continue
            for at, arm in enumerate(arms):
                dropped = _dropped(arm.samples[i], bound)
                if dropped is None:
                    continue
                whole = [_whole(one.samples[i], bound) for one in arms]
                rest = list(whole)
                rest[at], told = dropped
                yield from _carried(
                    bound,
                    {"arm": arm.arm, "noun": "cluster" if clusters else "unit", **told},
                    (whole, rest),
                    design.alpha,
                )


def _dropped(sample: Sample, bound: BoundMetric) -> tuple[Estimate, dict[str, Any]] | None:
    """The arm without its farthest unit, and what is told of the unit; None where there is none to drop."""
    pair = pulled_pair(bound)
    if pair is None:
        if bound.metric.kind != "mean" or sample.extremes is None:
            return None
        value = max(sample.extremes, key=lambda one: abs(one - sample.moments.means[0]))
        return _estimate(sample.moments.without(value)), {"value": value}
    if sample.farthest is None:
        return None
    over, under = sample.farthest
    rest = _two(sample.moments, pair).less(Moments(1, (over, under), ((0.0, 0.0), (0.0, 0.0))))
    if not rest.means[1]:
        return None
    return _ratio(rest), {"value": over, "under": under}


def _carried(
    bound: BoundMetric, dropped: dict[str, Any], both: tuple[Sequence[Estimate], Sequence[Estimate]], alpha: float
) -> Iterator[Concern]:
    whole, rest = both
    before, after = welch(whole[0], whole[1], alpha), welch(rest[0], rest[1], alpha)
    moved = abs(after.effect - before.effect) > CARRIES * standard_error(whole[0], whole[1])
    significant = (before.p_value < alpha, after.p_value < alpha)
    turned = all(significant) and before.effect * after.effect < 0
    error = standard_error(rest[0], rest[1])
    far = abs(after.effect - before.effect) / error if error > 0 else 0.0
    makes = far > MAKES or (far > TURNS and before.effect * after.effect < 0)
    if makes or (moved and (significant[0] != significant[1] or turned)):
        noun = dropped["noun"]
        shown = f"{dropped['value']:,.6g}" + (f" over {dropped['under']:,.6g}" if "under" in dropped else "")
        yield Concern(
            "outlier_carries_effect",
            "warning",
            f"{bound.metric.name}: one {noun} of {dropped['arm']} ({shown}) decides: with it the effect is "
            f"{before.effect:+.4g} (p = {before.p_value:.2g}), without it {after.effect:+.4g} "
            f"(p = {after.p_value:.2g}). Look at the {noun}, and cap such values in the metric's declaration.",
            {
                "metric": bound.metric.name,
                "arm": dropped["arm"],
                "value": dropped["value"],
                "under": dropped.get("under"),
                "case": "cluster" if noun == "cluster" else "ratio" if "under" in dropped else "",
                "effects": [before.effect, after.effect],
                "p": [before.p_value, after.p_value],
            },
        )


def _whole(sample: Sample, bound: BoundMetric) -> Estimate:
    pair = pulled_pair(bound)
    return _estimate(sample.moments) if pair is None else _ratio(_two(sample.moments, pair))


def _two(moments: Moments, pair: tuple[int, int]) -> Moments:
    """The moments of numerator and denominator alone."""
    inside = tuple(tuple(moments.covariances[j][k] for k in pair) for j in pair)
    return Moments(moments.n, tuple(moments.means[j] for j in pair), inside)


def _ratio(two: Moments) -> Estimate:
    found = _estimate(two.ratios([(0, 1)]))
    # Where all units have the same ratio, rounding may leave less than nothing of the variance.
    return replace(found, variance=max(found.variance, 0.0)) if found.variance < 0 else found


def _estimate(moments: Moments) -> Estimate:
    return Estimate(moments.means[0], moments.covariances[0][0] / moments.n, moments.n)
