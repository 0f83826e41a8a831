"""How many days an experiment has run, by the hours in which its log has rows.

An hour without a row means one of two things: nobody came, as at night in a lane with little traffic, or nothing was
logged. A short quiet stretch between two hours with rows counts as run; a longer one is an interruption and does not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tasuki.errors import joined, said


@dataclass(frozen=True)
class ArmCovered:
    """What an arm's log covers, in hours.

    Args:
        with_rows: Hours in which it has a row.
        quiet: Hours without a row, in stretches that are short enough to count.
        interrupted: Hours without a row that do not count.
    """

    with_rows: int
    quiet: int
    interrupted: int

    @property
    def hours(self) -> int:
        """The hours that count."""
        return self.with_rows + self.quiet


@dataclass(frozen=True)
class Coverage:
    """The days covered: those of the arm that has the fewest; `told` says how they were counted."""

    days: float
    told: str


def covered_hours(hours: Iterable[int], max_quiet_hours: float) -> ArmCovered:
    """What an arm's log covers.

    Args:
        hours: The hours with a row, counted from any one moment; each once or more.
        max_quiet_hours: The longest stretch without a row that counts as run.
    """
    there = sorted(set(hours))
    gaps = [later - earlier - 1 for earlier, later in pairwise(there)]
    quiet = sum(one for one in gaps if one <= max_quiet_hours)
    return ArmCovered(len(there), quiet, sum(gaps) - quiet)


def covered_days(hours: Mapping[str, Iterable[int]], arms: Iterable[str], max_quiet_hours: float) -> Coverage:
    """The days that every arm was seen.

    Args:
        hours: The hours with a row by arm.
        arms: The arms that were designed; one without rows has run for no day.
        max_quiet_hours: The longest stretch without a row that counts as run.
    """
    covered = {arm: covered_hours(hours.get(arm, ()), max_quiet_hours) for arm in arms}
    fewest = min((one.hours for one in covered.values()), default=0)
    return Coverage(fewest / 24, joined([_told(arm, one) for arm, one in covered.items()], ", "))


def _told(arm: str, one: ArmCovered) -> str:
    more = [said("{hours} of them quiet", hours=one.quiet)] if one.quiet else []
    more += [said("{hours} h of interruption left out", hours=one.interrupted)] if one.interrupted else []
    told = said("{arm} {hours} h", arm=arm, hours=one.hours)
    return said("{told} ({why})", told=told, why=joined(more, ", ")) if more else told
