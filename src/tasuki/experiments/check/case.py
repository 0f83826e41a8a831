"""What every probe is given, and how its verdict is written."""

from collections.abc import Iterable
from dataclasses import dataclass

from tasuki.experiments.check.faults import FAULTS, NO_DATA
from tasuki.experiments.check.seen import Design, Seen
from tasuki.experiments.check.thresholds import Thresholds
from tasuki.flow.records import Probe


@dataclass(frozen=True)
class Case:
    """What was meant, what was seen and what is allowed."""

    design: Design
    seen: Seen
    limits: Thresholds

    def answers_of(self, arm: str) -> int:
        """The exposures of an arm, by its answers."""
        return sum(one.exposures for one in self.seen.answers if one.arm == arm)


@dataclass(frozen=True)
class Question:
    """The name of a probe and what it allows, told."""

    name: str
    threshold: str

    def passed(self, value: float | None, told: str) -> Probe:
        """It behaves."""
        return Probe(self.name, True, value, self.threshold, told)

    def failed(self, fault: str, value: float | None, told: str) -> Probe:
        """It does not, in the way the fault names: one of `FAULTS`."""
        known = FAULTS[fault]
        explanation = f"{known.what.en}: {told}. What to do: {known.remedy.en}"
        return Probe(self.name, False, value, self.threshold, explanation, fault)

    def judged(self, fault: str, value: float | None, told: str) -> Probe:
        """Passed without a fault, failed with one."""
        return self.failed(fault, value, told) if fault else self.passed(value, told)

    def no_data(self, what: str) -> Probe:
        """Nothing was seen, which is never "it behaves"."""
        return Probe(self.name, False, None, self.threshold, f"no data: nothing was logged about {what}", NO_DATA)


def share_of(part: int, whole: int) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def listed(parts: Iterable[str], most: int = 5) -> str:
    """The first few of many, and how many more there are."""
    every = list(parts)
    more = len(every) - most
    return "; ".join(every[:most]) + (f"; and {more} more" if more > 0 else "")
