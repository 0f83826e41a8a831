"""The answer of a grouped query as values: what is known of each arm, in all and in each segment."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, nan
from typing import Any

from tasuki.metrics.compile import NO_UNIT, NO_VALUE, SEVERAL_ARMS, Reading
from tasuki.metrics.metric import Limits
from tasuki.stats.moments import Moments, no_moments


@dataclass(frozen=True)
class Sample:
    """One metric in one arm.

    Args:
        moments: Of numerator, denominator and covariates, over the units that have all of them.
        lost: Numbers that were NaN or infinite.
        off: Values of a proportion that are neither 0 nor 1.
        varying: Units with more than one value of a covariate.
        quantiles: The values at the three levels of a quantile metric.
        extremes: The smallest and the largest value of a mean.
        values: The variables of every unit, where there are so few that they were fetched.
        held: Units whose value lies beyond the limits and counts as these.
        limits: The ends of a winsorised metric, the same in every arm.
        lacking: By variable, units with a value that lack this covariate; empty where it is not known.
        having: By variable, units with a value that have it.
        reach: The largest |numerator| and |denominator| of a ratio (see `tasuki.metrics.farthest`).
        farthest: Numerator and denominator of the unit farthest from the arm's ratio, where it was looked for.
    """

    moments: Moments
    lost: int = 0
    off: int = 0
    varying: int = 0
    quantiles: tuple[float, float, float] | None = None
    extremes: tuple[float, float] | None = None
    values: tuple[tuple[float, ...], ...] | None = None
    held: int = 0
    limits: Limits | None = None
    lacking: tuple[int, ...] = ()
    having: tuple[int, ...] = ()
    reach: tuple[float, float] | None = None
    farthest: tuple[float, float] | None = None


@dataclass(frozen=True)
class Cell:
    """One arm, in all or in a segment.

    Args:
        arm: The arm's name.
        segment: Column and value, or None for all units.
        units: How many units, whether or not they have values.
        samples: One per metric, in order.
    """

    arm: str
    segment: tuple[str, str] | None
    units: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Statistics:
    """Everything an engine says about one experiment's table.

    Args:
        cells: What is known of each arm.
        units_in_several_arms: Units left out because they were seen in more than one arm.
        units_without_arm: Units whose arm is null.
        events_without_unit: Events whose unit is null.
        varying_segments: By segment column, units with more than one value of it.
        clusters: Whether "units" are clusters: what was randomised.
    """

    cells: tuple[Cell, ...]
    units_in_several_arms: int = 0
    units_without_arm: int = 0
    events_without_unit: int = 0
    varying_segments: Mapping[str, int] = field(default_factory=dict)
    clusters: bool = False


def added(parts: Sequence[Statistics]) -> Statistics:
    """What shards of one experiment say together. No unit may be in two of them.

    Quantiles, values and the farthest units are lost.
    """
    cells: dict[tuple[str, tuple[str, str] | None], Cell] = {}
    for cell in (cell for part in parts for cell in part.cells):
        key = (cell.arm, cell.segment)
        cells[key] = _together(cells[key], cell) if key in cells else cell
    ordered = sorted(cells.values(), key=_place)
    several, armless, unitless = (
        sum(getattr(part, name) for part in parts)
        for name in ("units_in_several_arms", "units_without_arm", "events_without_unit")
    )
    varying: Counter[str] = Counter()
    for part in parts:
        varying.update(part.varying_segments)
    return Statistics(tuple(ordered), several, armless, unitless, dict(varying), any(one.clusters for one in parts))


def limits_in(statistics: Statistics) -> dict[int, Limits]:
    """By metric, the ends that winsorised units were held within."""
    return {i: one.limits for i, one in enumerate(statistics.cells[0].samples) if one.limits is not None}


def _together(one: Cell, other: Cell) -> Cell:
    samples = tuple(_joined(a, b) for a, b in zip(one.samples, other.samples, strict=True))
    return Cell(one.arm, one.segment, one.units + other.units, samples)


def _joined(one: Sample, other: Sample) -> Sample:
    ends = [each.extremes for each in (one, other) if each.extremes is not None]
    extremes = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None
    counts = {name: getattr(one, name) + getattr(other, name) for name in ("lost", "off", "varying", "held")}
    lacking, having = (_both(getattr(one, name), getattr(other, name)) for name in ("lacking", "having"))
    joined = Sample(one.moments + other.moments, **counts, extremes=extremes, limits=one.limits or other.limits)
    reaches = [each.reach for each in (one, other) if each.reach is not None]
    reach = (max(top for top, _ in reaches), max(below for _, below in reaches)) if reaches else None
    return replace(joined, lacking=lacking, having=having, reach=reach)


def _both(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True)) if one and other else one or other


def _place(cell: Cell) -> tuple[bool, tuple[str, str], str]:
    return cell.segment is not None, cell.segment or ("", ""), cell.arm


def read_statistics(reading: Reading, rows: Sequence[Mapping[str, Any]]) -> Statistics:
    """What the rows of `tasuki.metrics.compile.statistics_tree` say. A segment that is null is called `(none)`."""
    cells, several, armless, unitless = [], 0, 0, 0
    varying: Counter[str] = Counter()
    for row in rows:
        segment = _segment(reading, row)
        if row["mixed"] == 0 and row["arm"] is not None:
            samples = tuple(_sample(reading, i, row) for i in range(len(reading.metrics)))
            cells.append(Cell(str(row["arm"]), segment, int(row["units"]), samples))
            if segment is None:
                varying.update({name: int(row.get(f"t{k}") or 0) for k, name in enumerate(reading.segments)})
        elif segment is None:
            several += int(row["units"]) if row["mixed"] == SEVERAL_ARMS else 0
            unitless += int(row["events"]) if row["mixed"] == NO_UNIT else 0
            armless += int(row["units"]) if row["mixed"] == 0 else 0
    cells.sort(key=_place)
    return Statistics(tuple(cells), several, armless, unitless, dict(varying), reading.cluster is not None)


def statistics_from(document: Mapping[str, Any]) -> Statistics:
    """Statistics that were kept as JSON by `dataclasses.asdict`."""
    cells = tuple(
        Cell(
            cell["arm"],
            None if cell["segment"] is None else (cell["segment"][0], cell["segment"][1]),
            cell["units"],
            tuple(_sample_from(one) for one in cell["samples"]),
        )
        for cell in document["cells"]
    )
    return Statistics(**{**document, "cells": cells})


def _sample_from(document: Mapping[str, Any]) -> Sample:
    kept = document["moments"]
    moments = Moments(kept["n"], tuple(kept["means"]), tuple(tuple(row) for row in kept["covariances"]))
    kinds = ("quantiles", "extremes", "limits", "reach", "farthest")
    told = {name: None if document.get(name) is None else tuple(document[name]) for name in kinds}
    known = {name: tuple(document.get(name, ())) for name in ("lacking", "having")}
    return Sample(**{**document, "moments": moments, **told, **known, "values": None})


def _segment(reading: Reading, row: Mapping[str, Any]) -> tuple[str, str] | None:
    for k, name in enumerate(reading.segments):
        if int(row[f"g{k}"]) == 0:
            value = row[f"s{k}"]
            return name, NO_VALUE if value is None else str(value)
    return None


def _sample(reading: Reading, i: int, row: Mapping[str, Any]) -> Sample:
    size = len(reading.metrics[i].variables)
    n = int(row[f"m{i}_n"])
    lost, off, varying, held = (int(row.get(f"m{i}_{name}") or 0) for name in ("lost", "off", "varying", "held"))
    known = Sample(no_moments(size), lost, off, varying, held=held, limits=reading.limits.get(i))
    if not n:
        return known
    lacking = tuple(int(row.get(f"m{i}_u{j}") or 0) for j in range(size))
    having = tuple(n - lacking[j] if reading.cluster is None else int(row.get(f"m{i}_h{j}") or 0) for j in range(size))
    if reading.metrics[i].metric.covariates:
        known = replace(known, lacking=lacking, having=having)
    means = tuple(_number(row[f"m{i}_a{j}"]) + reading.origins.get((i, j), 0.0) for j in range(size))
    if f"m{i}_c0_0" not in row:
        variance = means[0] * (1 - means[0]) * n / (n - 1) if n > 1 else 0.0
        return replace(known, moments=Moments(n, means, ((variance,),)))
    covariances = tuple(
        tuple(_number(row[f"m{i}_c{min(j, k)}_{max(j, k)}"]) if n > 1 else 0.0 for k in range(size))
        for j in range(size)
    )
    lowest, highest = row.get(f"m{i}_low"), row.get(f"m{i}_high")
    extremes = None if lowest is None or highest is None else (float(lowest), float(highest))
    top, below = row.get(f"m{i}_x0"), row.get(f"m{i}_x1")
    reach = None if top is None or below is None else (float(top), float(below))
    return replace(known, moments=Moments(n, means, covariances), extremes=extremes, reach=reach)


def _number(value: Any) -> float:
    number = nan if value is None else float(value)
    return number if isfinite(number) else nan
