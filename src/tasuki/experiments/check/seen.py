"""What A/B 1 compares: the design of each arm, and the sufficient counts of what was seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from tasuki.stats.contrast import Estimate


@dataclass(frozen=True)
class TrainingSeen:
    """The training behind an arm's version.

    Args:
        fault: Why the version is not the result of a complete training run; empty when it is.
        age_days: How old its training run was when the check ended; None when no record says it.
        failed_runs: Training runs of the model that failed while the experiment ran, and why.
        positives_then: Positives that the training counted; None when it does not say.
        positives_now: Positives of the same rows under the same rule in the training table now.
        positives_late: Positives of the same rows that came after the attribution window.
        delay_hours: The attribution window.
        labels_fault: Why the labels cannot be counted again.
    """

    fault: str = ""
    age_days: float | None = None
    failed_runs: tuple[str, ...] = ()
    positives_then: int | None = None
    positives_now: int = 0
    positives_late: int = 0
    delay_hours: float = 0.0
    labels_fault: str = ""


@dataclass(frozen=True)
class ArmDesign:
    """An arm as designed.

    Args:
        share: Its share of the units.
        versions: The versions its channel pointed to while the experiment ran, the last one at its end.
        pointer_fault: Why the pointer cannot be read, or why it is stale; empty when it is as it should be.
        training: What was found about its version's training.
        earlier: The versions that its channel pointed to before.
    """

    share: float
    versions: tuple[str, ...] = ()
    pointer_fault: str = ""
    training: TrainingSeen = field(default_factory=TrainingSeen)
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArmSeen:
    """An arm as the exposure log shows it; the latencies are None where none was logged."""

    exposures: int
    units: int
    latency_p50_ms: float | None
    latency_p99_ms: float | None


@dataclass(frozen=True)
class AnswersSeen:
    """How many exposures of an arm had this version, and why; `last_us` is the moment of the last one."""

    arm: str
    version: str | None
    fallback: bool
    reason: str
    exposures: int
    last_us: int


@dataclass(frozen=True)
class Moved:
    """Units that were answered in another arm than their hash says."""

    designed: str
    logged: str
    units: int


@dataclass(frozen=True)
class InputSeen:
    """A named input of an arm's model in the logged features: how often it was not there, and how often null.

    Args:
        arm: The arm.
        name: The input.
        nullable: Whether the model allows null.
        exposures: The arm's exposures.
        absent: Exposures whose features do not have the name.
        null: Exposures in which it is null.
        expected_null: The share of null in training; None when the version does not say.
        renamed: A name that is there instead, and that training did not have; empty otherwise.
    """

    arm: str
    name: str
    nullable: bool
    exposures: int
    absent: int
    null: int
    expected_null: float | None = None
    renamed: str = ""


@dataclass(frozen=True)
class ValuesSeen:
    """The values of an input in the logged features, held against the training table's.

    Args:
        name: The input.
        rows: Logged values that are not null.
        index: The stability index over categories, or over bins of a number.
        unknown_share: The share of a category's values that training never saw.
        top_value: The most frequent logged value.
        top_share: Its share.
        top_expected: Its share in training.
        looks_like: The input whose training values these are, when they are another's: exchanged columns.
        is_relabelled: Whether the shares are training's under other names: another version's category map.
    """

    name: str
    rows: int
    index: float
    unknown_share: float = 0.0
    top_value: str = ""
    top_share: float = 0.0
    top_expected: float = 0.0
    looks_like: str = ""
    is_relabelled: bool = False


@dataclass(frozen=True)
class HoursSeen:
    """The hours of day (UTC) of a time input in the log, and the shares of them in training."""

    name: str
    seen: tuple[int, ...]
    expected: tuple[float, ...]


@dataclass(frozen=True)
class OffsetSeen:
    """How far a time that others wrote lies from the exposure's own.

    Args:
        name: Which time: an input, or the outcomes'.
        writer: The process that logged the exposures.
        offset_s: The median of that time less the exposure's.
        spread_s: From the 10th to the 90th hundredth of it: small in live traffic, days where traffic is replayed.
    """

    name: str
    writer: str
    offset_s: float
    spread_s: float


@dataclass(frozen=True)
class ClockSeen:
    """The times in the log.

    Args:
        rows: Exposures.
        future_rows: Exposures from after the moment of the check.
        ahead_s: By how many seconds the last of them is ahead.
        offsets: Every time that was held against the exposures' own.
        hours: The hours of day of each time input.
    """

    rows: int
    future_rows: int = 0
    ahead_s: float = 0.0
    offsets: tuple[OffsetSeen, ...] = ()
    hours: tuple[HoursSeen, ...] = ()


@dataclass(frozen=True)
class ScoresSeen:
    """The treatment's own scores counted in bins, and the share expected of each bin; `source` says by what."""

    counts: tuple[int, ...]
    expected: tuple[float, ...]
    source: str


@dataclass(frozen=True)
class VersionAgain:
    """Scores that a version gave, computed again.

    Args:
        version: The version.
        rows: How many scores.
        difference: The largest difference.
        tolerance: How far two computations may differ by the form the version is kept in alone; 0 for an exact form.
    """

    version: str
    rows: int
    difference: float
    tolerance: float


@dataclass(frozen=True)
class Recomputed:
    """Logged scores computed again from the logged inputs, by version, and why some could not be.

    `cause` names the fault whose mending would make them agree, and `how` says so: inputs exchanged, a time shifted by
    whole hours, another version.
    """

    versions: tuple[VersionAgain, ...]
    fault: str = ""
    cause: str = ""
    how: str = ""


@dataclass(frozen=True)
class Counted:
    """What the client counted and what the log holds; `name` is an arm or an hour, or says which count it is."""

    name: str
    sent: int
    logged: int


@dataclass(frozen=True)
class RequestsSeen:
    """What the client asked for in all, and how much of it got no answer."""

    asked: int
    failed: int
    source: str


@dataclass(frozen=True)
class LabelsSeen:
    """What became of the exposures.

    Args:
        exposures: Exposures that were old enough to have an outcome.
        with_outcome: Those that have one.
        delays: For ascending ages, the share of the positives that had arrived by then: here, and in training.
        positives: Positives behind `delays`.
    """

    exposures: int
    with_outcome: int
    delays: tuple[tuple[float, float], ...] = ()
    positives: int = 0


@dataclass(frozen=True)
class Calibrated:
    """Mature exposures of an arm: the sum of their scores, and the positives among them."""

    arm: str
    exposures: int
    predicted: float
    observed: int


@dataclass(frozen=True)
class SpendSeen:
    """What each arm spent (or its volume) per unit."""

    name: str
    arms: Mapping[str, Estimate]


@dataclass(frozen=True)
class DaySeen:
    """One day of the experiment, by the logs' own time."""

    day: date
    seen: "Seen"


@dataclass(frozen=True)
class Seen:
    """What the logs say. The defaults are those of an experiment of which nothing was logged."""

    arms: Mapping[str, ArmSeen] = field(default_factory=dict)
    answers: tuple[AnswersSeen, ...] = ()
    exposures: int = 0
    distinct_exposures: int = 0
    units: int = 0
    units_in_several_arms: int = 0
    misassigned_units: int = 0
    moved: tuple[Moved, ...] = ()
    earlier_experiment: str = ""
    counted: tuple[Counted, ...] = ()
    hours: tuple[Counted, ...] = ()
    requests: RequestsSeen | None = None
    inputs: tuple[InputSeen, ...] = ()
    values: tuple[ValuesSeen, ...] | None = None
    values_fault: str = ""
    clock: ClockSeen | None = None
    scores: ScoresSeen | None = None
    recomputed: Recomputed | None = None
    labels: LabelsSeen | None = None
    calibrated: tuple[Calibrated, ...] = ()
    spend: SpendSeen | None = None
    days: float = 0.0
    days_source: str = "nothing"


Design = Mapping[str, ArmDesign]
