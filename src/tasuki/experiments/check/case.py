"""What every probe is given, and how its verdict is written."""

from collections.abc import Iterable
from dataclasses import dataclass

from tasuki.errors import joined, said
from tasuki.experiments.check.faults import FAULTS, NO_DATA
from tasuki.experiments.check.seen import Design, Seen
from tasuki.experiments.check.thresholds import Thresholds
from tasuki.flow.records import Probe
from tasuki.texts import as_record


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
        return self._probe(True, value, told, told)

    def failed(self, fault: str, value: float | None, told: str) -> Probe:
        """It does not, in the way the fault names: one of `FAULTS`."""
        known = FAULTS[fault]
        explanation = f"{known.what.en}: {told}. What to do: {known.remedy.en}"
        return self._probe(False, value, told, explanation, fault)

    def judged(self, fault: str, value: float | None, told: str) -> Probe:
        """Passed without a fault, failed with one."""
        return self.failed(fault, value, told) if fault else self.passed(value, told)

    def no_data(self, what: str) -> Probe:
        """Nothing was seen, which is never "it behaves"."""
        told = said("no data: nothing was logged about {what}", what=what)
        return self._probe(False, None, told, told, NO_DATA)

    def _probe(self, passed: bool, value: float | None, told: str, explanation: str, fault: str = "") -> Probe:
        kept = {"threshold": as_record(self.threshold), "told": as_record(told)}
        return Probe(self.name, passed, value, str(self.threshold), str(explanation), fault, kept)


def share_of(part: int, whole: int) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def listed(parts: Iterable[str], most: int = 5) -> str:
    """The first few of many, and how many more there are."""
    every = list(parts)
    more = len(every) - most
    return joined([*every[:most], *([said("and {more} more", more=more)] if more > 0 else [])]) if every else ""
