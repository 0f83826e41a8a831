"""The comparison itself: from what an engine counted to effects, concerns and a recommendation. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isnan

from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.comparison import Arm, Comparison, Result, SplitTest
from tasuki.experiments.design import MOST_SEGMENT_VALUES, MOST_STRATA, Design, arrange
from tasuki.experiments.doubts import (
    doubts_about_covariates,
    doubts_about_metrics,
    doubts_about_missing_covariates,
    doubts_about_results,
    doubts_about_strata,
    doubts_about_units,
)
from tasuki.experiments.effects import Pair, effect_of
from tasuki.experiments.looks import doubts_about_looks, monitoring_of
from tasuki.experiments.outliers import doubts_about_outliers
from tasuki.experiments.recommend import recommend
from tasuki.experiments.segments import doubts_about_segments, doubts_about_varying, heterogeneities
from tasuki.experiments.skewness import doubts_about_skewness
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.magnitude import require_magnitudes
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.concern import Concern
from tasuki.stats.moments import no_moments
from tasuki.stats.multiple import benjamini_hochberg, holm
from tasuki.stats.split import SRM_THRESHOLD, split_p_value


def compare_arms(
    statistics: Statistics, metrics: Sequence[BoundMetric], design: Design, more: Sequence[Concern] = ()
) -> Comparison:
    """Compares every treatment arm with control on every metric, in all and in each segment.

    Args:
        statistics: What an engine counted.
        metrics: The metrics, in the order of the statistics' samples.
        design: What was decided before.
        more: Doubts that do not come from the numbers.

    Raises:
        Invalid: The arms cannot be compared (see `tasuki.experiments.design.arrange`).
    """
    _require_variances(statistics, metrics)
    require_magnitudes(statistics, metrics)
    totals = {cell.arm: cell for cell in statistics.cells if cell.segment is None}
    if len(totals) < 2 and statistics.units_in_several_arms:
        units, clusters = statistics.units_in_several_arms, statistics.clusters
        raise Invalid(
            said("nothing is left to compare: {units:,} cluster(s) were seen in several arms", units=units)
            if clusters
            else said("nothing is left to compare: {units:,} unit(s) were seen in several arms", units=units),
            expected="each cluster in one arm" if clusters else "each unit in one arm",
        )
    control, treatments, chosen = arrange({name: cell.units for name, cell in totals.items()}, design)
    _require_few_segments(statistics, design)
    names = (control, *treatments)
    empty = tuple(_nobody(bound) for bound in metrics)
    everyone = [totals.get(name, Cell(name, None, 0, empty)) for name in names]
    units = sum(cell.units for cell in everyone)
    srm = _split_test(everyone, design)
    strata = _strata(statistics, design)
    results = _adjusted(
        [
            effect_of(pair, i, bound, design)
            for cells in _by_segment(statistics, everyone, metrics, design)
            for i, bound in enumerate(metrics)
            for pair in _pairs(cells, (control, *treatments), strata, units)
        ],
        design,
    )
    tests = heterogeneities(results, design)
    concerns = (
        *doubts_about_units(statistics, everyone, srm),
        *doubts_about_metrics(metrics, everyone),
        *doubts_about_missing_covariates(metrics, everyone),
        *doubts_about_covariates(metrics, everyone),
        *doubts_about_strata(metrics, strata, names, design),
        *doubts_about_outliers(metrics, everyone, design, statistics.clusters),
        *doubts_about_skewness(metrics, everyone),
        *doubts_about_results(results, design),
        *doubts_about_segments(results, tests, statistics.cells, design),
        *doubts_about_varying(statistics, design),
        *doubts_about_looks(design, units),
        *more,
        *chosen,
    )
    return Comparison(
        tuple(Arm(cell.arm, cell.units) for cell in everyone),
        srm,
        results,
        concerns,
        recommend(results, concerns, design),
        design.alpha,
        heterogeneity=tests,
        monitoring=monitoring_of(design, units),
        prior=design.prior,
        prior_source=design.prior_source,
    )


def _require_variances(statistics: Statistics, metrics: Sequence[BoundMetric]) -> None:
    """Sums of squares that lost their digits give such variances; an interval made of them would be wrong."""
    faults = [
        Fault(
            bound.metric.name,
            said(
                "its variance in {arm!r} is {covariances:g}", arm=cell.arm, covariances=sample.moments.covariances[j][j]
            ),
            "0 or more",
        )
        for cell in statistics.cells
        for bound, sample in zip(metrics, cell.samples, strict=True)
        for j in range(len(sample.moments.means))
        if sample.moments.covariances[j][j] < 0
    ]
    if faults:
        raise Invalid(
            "a variance is below zero", faults[:10], next_step="count it around the mean, not from sums of squares"
        )


def _require_few_segments(statistics: Statistics, design: Design) -> None:
    """A column of so many values is no segment: an effect for each would be noise, and a wall of it."""
    values: dict[str, set[str]] = {}
    for cell in statistics.cells:
        if cell.segment is not None and design.reports(cell.segment[0]):
            values.setdefault(cell.segment[0], set()).add(cell.segment[1])
    faults = [
        Fault(
            "segment",
            said("{column!r} has {count:,} values", column=column, count=len(seen)),
            said("at most {most_values:,} values", most_values=MOST_SEGMENT_VALUES),
        )
        for column, seen in values.items()
        if len(seen) > MOST_SEGMENT_VALUES
    ]
    if faults:
        raise Invalid("there are too many segments", faults, next_step="name a coarser column, or group its values")


def _strata(statistics: Statistics, design: Design) -> list[dict[str, Cell]]:
    """Every arm's cell in each stratum; an arm without units there is missing."""
    found: dict[str, dict[str, Cell]] = {}
    for cell in statistics.cells:
        if cell.segment is not None and cell.segment[0] == design.stratum:
            found.setdefault(cell.segment[1], {})[cell.arm] = cell
    if len(found) > MOST_STRATA:
        raise Invalid(
            said("the stratum {stratum!r} has {count:,} values", stratum=design.stratum, count=len(found)),
            expected=said("at most {most_strata:,}, each with units of every arm", most_strata=MOST_STRATA),
            next_step="use a coarser column, or adjust for a number with a covariate",
        )
    return list(found.values())


def _pairs(
    cells: Mapping[str, Cell], names: Sequence[str], strata: Sequence[Mapping[str, Cell]], units: int
) -> Iterator[Pair]:
    """Control (the first name) with each treatment arm; a segment is compared as it is, without strata."""
    control = cells[names[0]]
    empty = tuple(Sample(no_moments(len(one.moments.means))) for one in control.samples)
    inside = [] if control.segment is not None else strata
    for name in names[1:]:
        nobody = Cell(name, None, 0, empty)
        both = tuple((one.get(names[0], nobody), one.get(name, nobody)) for one in inside)
        yield Pair(control, cells[name], both, units)


def _nobody(bound: BoundMetric) -> Sample:
    return Sample(no_moments(len(bound.variables)))


def _by_segment(
    statistics: Statistics, everyone: Sequence[Cell], metrics: Sequence[BoundMetric], design: Design
) -> list[dict[str, Cell]]:
    groups = [{cell.arm: cell for cell in everyone}]
    segments = dict.fromkeys(
        cell.segment for cell in statistics.cells if cell.segment is not None and design.reports(cell.segment[0])
    )
    empty = tuple(_nobody(bound) for bound in metrics)
    for segment in segments:
        group = {cell.arm: Cell(cell.arm, segment, 0, empty) for cell in everyone}
        group.update({cell.arm: cell for cell in statistics.cells if cell.segment == segment})
        groups.append(group)
    return groups


def _split_test(everyone: Sequence[Cell], design: Design) -> SplitTest:
    shares = {cell.arm: (design.shares or {}).get(cell.arm, 1 / len(everyone)) for cell in everyone}
    p = split_p_value([cell.units for cell in everyone], list(shares.values()))
    return SplitTest(None if isnan(p) else p, shares, isnan(p) or p >= SRM_THRESHOLD)


def _adjusted(results: Sequence[Result], design: Design) -> tuple[Result, ...]:
    """What decides, over all arms, is one family; what only informs is another, and so are the segments.

    Guardrails are not adjusted: several of them make a false alarm likelier, not a false win.
    """
    adjusted = [replace(one, p_value_adjusted=one.p_value) for one in results]
    families: dict[tuple[bool, bool], list[int]] = {}
    for position, one in enumerate(results):
        if one.margin is None and one.p_value is not None:
            family = (one.segment is not None, design.decides(one.metric))
            families.setdefault(family, []).append(position)
    for positions in families.values():
        p_values = [results[position].p_value or 0.0 for position in positions]
        for position, p in zip(positions, _adjust(p_values, design), strict=True):
            adjusted[position] = replace(results[position], p_value_adjusted=p)
    return tuple(adjusted)


def _adjust(p_values: Sequence[float], design: Design) -> Sequence[float]:
    match design.adjust:
        case "holm":
            return holm(p_values)
        case "bh":
            return benjamini_hochberg(p_values)
    return p_values
