"""How often people look, which decides how wide intervals are: once, at any time, or at a few planned moments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasuki.experiments.design import Design
from tasuki.stats.concern import Concern
from tasuki.stats.contrast import Estimate, Yardstick, by_student, satterthwaite
from tasuki.stats.group_sequential import Look, by_look
from tasuki.stats.sequential import Boundary, by_boundary

NEAR = 0.05
"""A look so close to a planned one, as a share of the planned units, is the planned one."""


@dataclass(frozen=True)
class Monitoring:
    """The rule that makes looking before the end safe, and where the experiment stands under it.

    Args:
        rule: `always_valid` (any number of looks) or `group_sequential` (the planned ones).
        tuning: Units at which always-valid intervals are narrowest; None for planned looks.
        spending: How planned looks share alpha; None for always-valid intervals.
        planned_units: Units of all arms at the planned end; None for always-valid intervals.
        looks: The share of the planned units at each look so far, this one last; empty for always-valid intervals.
        critical: How many standard errors an interval of a metric that all units have spans now.
    """

    rule: Literal["always_valid", "group_sequential"]
    tuning: int | None
    spending: str | None
    planned_units: int | None
    looks: tuple[float, ...]
    critical: float


def monitoring_of(design: Design, units: int) -> Monitoring | None:
    """What the design says about looks, once so many units of all arms were seen; None for one look at the end."""
    if not units:
        return None
    if design.sequential:
        critical = Boundary(units, design.alpha, design.tuning).critical
        return Monitoring("always_valid", design.tuning, None, None, (), critical)
    look = look_of(design, units)
    if look is None:
        return None
    return Monitoring("group_sequential", None, design.spending, design.planned_units, look.fractions, look.critical)


def look_of(design: Design, units: int) -> Look | None:
    """The planned look that this is; None without planned looks."""
    if not (design.looks and design.planned_units and units):
        return None
    now = units / design.planned_units
    if design.earlier_units:
        before = [one / design.planned_units for one in design.earlier_units]
        before = [one for one in before if one < now - 1e-9]
    else:
        # Past the planned end this is the last look, only later; none was taken there before.
        before = [one for one in design.looks[:-1] if one < now - NEAR]
    return Look(design.alpha, (*_apart(before, now), now), design.spending, is_last=now > design.looks[-1] - NEAR)


def yardstick_of(design: Design, arms: tuple[Estimate, Estimate], look: Look | None) -> tuple[Yardstick, str]:
    """How wide an interval is, and the words that go before the method's name."""
    if design.sequential:
        return by_boundary(Boundary(arms[0].n + arms[1].n, design.alpha, design.tuning)), "sequential+"
    if look is not None:
        return by_look(look, satterthwaite(*arms)), "group_sequential+"
    return by_student(*arms, design.alpha), ""


def doubts_about_looks(design: Design, units: int) -> tuple[Concern, ...]:
    """The doubt that this is none of the planned looks."""
    look = look_of(design, units)
    if look is None or design.planned_units is None:
        return ()
    now, last = look.fractions[-1], design.looks[-1]
    if any(abs(now - one) <= NEAR for one in design.looks):
        return ()
    planned = ", ".join(f"{one:.0%}" for one in design.looks)
    values = {"case": "between" if now < last else "after", "fraction": now, "looks": list(design.looks)}
    if now < last:
        message = (
            f"This is a look at {now:.0%} of the planned units; looks are planned at {planned}. It is right only if "
            "its moment was not chosen by what earlier looks showed, and later looks must count it."
        )
        return (Concern("look_outside_rule", "warning", message, values),)
    message = (
        f"The experiment went on to {now:.0%} of the planned units. This is taken for its last look: intervals are "
        f"right only if nobody looked at {design.looks[-1]:.0%} (looks are planned at {planned})."
    )
    return (Concern("look_outside_rule", "warning", message, values),)


def _apart(before: Sequence[float], now: float) -> tuple[float, ...]:
    """Earlier looks, those on top of each other taken as one."""
    kept: list[float] = []
    for one in sorted(before):
        if one > 0 and (not kept or one - kept[-1] >= 0.01) and now - one >= 0.01:
            kept.append(one)
    return tuple(kept)
