"""The path of each effect, day by day, and the days that are missing in it. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from tasuki.experiments.daily import DayEffect
from tasuki.experiments.design import Design
from tasuki.experiments.effects import Pair, effect_of
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.compile import NO_VALUE
from tasuki.metrics.path import LEAVES
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.concern import Concern
from tasuki.stats.moments import no_moments

DAYS_NAMED = 5
"""How many missing days a message names."""

MOST_DAYS = 92
"""A longer path is told week by week: nobody reads a table of a thousand rows."""

SLACK = timedelta(hours=1)
"""What a start, a stop or a clock may be beside midnight before its day counts."""

_EPOCH = date(1970, 1, 1)


def states_by_day(statistics: Statistics) -> tuple[tuple[date, Statistics], ...]:
    """What was known at the end of each day that has rows.

    Args:
        statistics: The answer to `tasuki.metrics.path.path_question`: what comes and what leaves on each day.
    """
    changes: dict[int, list[tuple[bool, Cell]]] = {}
    for cell in statistics.cells:
        if cell.segment is not None:
            which, number = cell.segment
            if number != NO_VALUE:
                changes.setdefault(int(number), []).append((which == LEAVES, cell))
    state: dict[str, Cell] = {}
    known = []
    for day in sorted(changes):
        # What leaves goes first: where everybody comes back nothing is left, and nothing is lost to rounding.
        for leaves, cell in sorted(changes[day], key=lambda one: not one[0]):
            state[cell.arm] = _changed(state.get(cell.arm), cell, leaves=leaves)
        if is_day(day):
            known.append((day_of(day), Statistics(tuple(state.values()))))
    return tuple(known)


def is_day(number: int) -> bool:
    """Whether the number is that of a day between the years 1 and 9999; rows of others only count."""
    return (date.min - _EPOCH).days <= number <= (date.max - _EPOCH).days


def day_of(number: int) -> date:
    """The day that is so many days after 1970-01-01."""
    return _EPOCH + timedelta(days=number)


def _changed(before: Cell | None, cell: Cell, *, leaves: bool) -> Cell:
    if before is None:
        return Cell(cell.arm, None, cell.units, tuple(Sample(one.moments) for one in cell.samples))
    samples = tuple(
        Sample(a.moments.less(b.moments) if leaves else a.moments + b.moments)
        for a, b in zip(before.samples, cell.samples, strict=True)
    )
    return Cell(cell.arm, None, before.units + (-cell.units if leaves else cell.units), samples)


def step_days(days: Sequence[date]) -> int:
    """How many days apart the points of a path stand: 1, or whole weeks where there would be too many."""
    if len(days) <= MOST_DAYS:
        return 1
    span = (max(days) - min(days)).days + 1
    return 7 * -(-span // (7 * MOST_DAYS))


def thinned(days: Sequence[tuple[date, Statistics]], step: int) -> tuple[tuple[date, Statistics], ...]:
    """What was known every so many days, counted back from the last one.

    Args:
        days: What was known at the end of each day with rows, in order.
        step: As `step_days` says.
    """
    last = days[-1][0] if days else _EPOCH
    # The end of the span that a day lies in; a later day of the same span takes its place.
    found = {last - (last - day) // timedelta(days=step) * timedelta(days=step): known for day, known in days}
    return tuple(found.items())


def doubts_about_step(days: Sequence[date], step: int) -> tuple[Concern, ...]:
    """That the path is not told day by day."""
    if step == 1:
        return ()
    message = f"There are {len(days):,} days with rows: the path is told every {step} days."
    return (Concern("path_thinned", "info", message, {"days": len(days), "step": step}),)


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
            if bound.metric.kind == "quantile" and control.samples[i].quantiles is None:
                continue  # its quantiles are not known day by day
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


def doubts_about_days(days: Sequence[date], ran: tuple[date, date] | None = None) -> tuple[Concern, ...]:
    """The doubt that days between the first and the last have no row.

    Args:
        days: The days that have rows.
        ran: The first and the last day that must have some, where that is known; else those of the rows themselves.
    """
    there = set(days)
    if not there or (ran is None and len(there) < 2):
        return ()  # nothing at all is told by concerns of its own
    first, last = ran or (min(there), max(there))
    span = [first + timedelta(days=one) for one in range((last - first).days + 1)]
    missing = [one.isoformat() for one in span if one not in there]
    if not missing:
        return ()
    more = f" and {len(missing) - DAYS_NAMED:,} more" if len(missing) > DAYS_NAMED else ""
    message = (
        f"{len(missing):,} of {len(span):,} days between {first} and {last} have no row: "
        f"{', '.join(missing[:DAYS_NAMED])}{more}. Were they lost?"
    )
    values = {"days": missing[:MOST_DAYS], "first": first.isoformat(), "last": last.isoformat()}
    return (Concern("missing_days", "warning", message, values),)


def doubts_about_outside(days: Sequence[date], started: datetime, ended: datetime) -> tuple[Concern, ...]:
    """The doubt that exposures carry the days of another time than the experiment's.

    Args:
        days: The days that have exposures of it.
        started: When it started.
        ended: When it stopped, or now.
    """
    first, last = (started - SLACK).date(), (ended + SLACK).date()
    outside = [one.isoformat() for one in sorted(set(days)) if not first <= one <= last]
    if not outside:
        return ()
    more = f" and {len(outside) - DAYS_NAMED:,} more" if len(outside) > DAYS_NAMED else ""
    message = (
        f"The experiment ran from {started.date()} to {ended.date()}, but exposures of it lie on "
        f"{', '.join(outside[:DAYS_NAMED])}{more}. Whose clock is wrong, or whose exposures are they?"
    )
    values = {
        "days": outside[:MOST_DAYS], "first": started.date().isoformat(), "last": ended.date().isoformat(),
    }  # fmt: skip
    return (Concern("exposures_outside_days", "warning", message, values),)


def whole_days(started: datetime, ended: datetime, now: datetime) -> tuple[date, date] | None:
    """The first and the last day that must have rows: those that it ran an hour or more in, but for today.

    Args:
        started: When it started.
        ended: When it stopped, or now.
        now: The present moment.
    """
    first = (started + SLACK).date()
    last = min((ended - SLACK).date(), now.date() - timedelta(days=1))
    return (first, last) if first <= last else None


def _nobody(arm: str, metrics: Sequence[BoundMetric]) -> Cell:
    return Cell(arm, None, 0, tuple(Sample(no_moments(len(bound.variables))) for bound in metrics))
