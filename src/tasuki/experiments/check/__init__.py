"""A/B 1: does it behave as designed? Pure probes over sufficient counts; each names one way in which it may not.

`Design` is what was meant to happen, `Seen` what the logs say happened, `Thresholds` what is allowed between the two.
A probe without data fails: "nothing was seen" is never "it behaves".
"""

from tasuki.experiments.check.coverage import ArmCovered, Coverage, covered_days, covered_hours
from tasuki.experiments.check.faults import FAULTS, NO_DATA, KnownFault
from tasuki.experiments.check.probes import DAILY, PROBES, day_verdicts, incidents_of, run_probes
from tasuki.experiments.check.seen import (
    AnswersSeen,
    ArmDesign,
    ArmSeen,
    Calibrated,
    ClockSeen,
    Counted,
    DaySeen,
    Design,
    HoursSeen,
    InputSeen,
    LabelsSeen,
    Moved,
    OffsetSeen,
    Recomputed,
    RequestsSeen,
    ScoresSeen,
    Seen,
    SpendSeen,
    TrainingSeen,
    ValuesSeen,
    VersionAgain,
)
from tasuki.experiments.check.thresholds import Thresholds, thresholds_of, thresholds_text

__all__ = [
    "DAILY",
    "FAULTS",
    "NO_DATA",
    "PROBES",
    "AnswersSeen",
    "ArmCovered",
    "ArmDesign",
    "ArmSeen",
    "Calibrated",
    "ClockSeen",
    "Counted",
    "Coverage",
    "DaySeen",
    "Design",
    "HoursSeen",
    "InputSeen",
    "KnownFault",
    "LabelsSeen",
    "Moved",
    "OffsetSeen",
    "Recomputed",
    "RequestsSeen",
    "ScoresSeen",
    "Seen",
    "SpendSeen",
    "Thresholds",
    "TrainingSeen",
    "ValuesSeen",
    "VersionAgain",
    "covered_days",
    "covered_hours",
    "day_verdicts",
    "incidents_of",
    "run_probes",
    "thresholds_of",
    "thresholds_text",
]
