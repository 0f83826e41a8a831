"""The path of each effect, day by day, and the days that are missing in it. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from tasuki.experiments.daily import DayEffect
from tasuki.experiments.design import Design
from tasuki.experiments.effects import Pair, effect_of
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.concern import Concern
from tasuki.stats.moments import no_moments

DAYS_NAMED = 5
"""How many missing days a message names."""


def daily_effects(
    days: Sequence[tuple[date, Statistics]], metrics: Sequence[BoundMetric], arms: Sequence[str], design: Design
) -> tuple[DayEffect, ...]:
    """The effect on every metric as it stood at the end of each day, with its always-valid interval.

    Args:
        days: The day, and everything that was known at its end.
        metrics: The metrics, in the order of the statistics' samples.
        arms: Control, then the treatment arms.
        design: How the comparison is judged; alpha and tuning hold here as well.
    """
    # Strata are left out: early days have too few units in them.
    watched = replace(design, sequential=True, looks=(), planned_units=None, stratum=None)
    found = []
    for day, statistics in days:
        cells = {cell.arm: cell for cell in statistics.cells if cell.segment is None}
        units = sum(cell.units for cell in cells.values())
        control = cells.get(arms[0]) or _nobody(arms[0], metrics)
        for i, bound in enumerate(metrics):
            for arm in arms[1:]:
                pair = Pair(control, cells.get(arm) or _nobody(arm, metrics), units=units)
                one = effect_of(pair, i, bound, watched)
                found.append(
                    DayEffect(
                        day.isoformat(), one.metric, arm, one.effect, one.effect_low, one.effect_high, one.relative,
                        one.relative_low, one.relative_high, one.n_control, one.n_treatment,
                    )
                )  # fmt: skip
    return tuple(found)


def doubts_about_days(days: Sequence[date]) -> tuple[Concern, ...]:
    """The doubt that days between the first and the last have no row."""
    there = set(days)
    if len(there) < 2:
        return ()
    first, last = min(there), max(there)
    span = [first + timedelta(days=one) for one in range((last - first).days + 1)]
    missing = [one.isoformat() for one in span if one not in there]
    if not missing:
        return ()
    more = f" and {len(missing) - DAYS_NAMED:,} more" if len(missing) > DAYS_NAMED else ""
    message = (
        f"{len(missing):,} of {len(span):,} days between {first} and {last} have no row: "
        f"{', '.join(missing[:DAYS_NAMED])}{more}. Were they lost?"
    )
    values = {"days": missing, "first": first.isoformat(), "last": last.isoformat()}
    return (Concern("missing_days", "warning", message, values),)


def _nobody(arm: str, metrics: Sequence[BoundMetric]) -> Cell:
    return Cell(arm, None, 0, tuple(Sample(no_moments(len(bound.variables))) for bound in metrics))
