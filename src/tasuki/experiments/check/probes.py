"""A/B 1 as a whole: every probe in the order in which an engineer would look for the cause, and the days one by one."""

from collections.abc import Callable, Mapping, Sequence

from tasuki.errors import said
from tasuki.experiments.check import answering, completeness, inputs, outcomes, scores, splitting
from tasuki.experiments.check.answering import fallbacks_of
from tasuki.experiments.check.case import Case
from tasuki.experiments.check.seen import DaySeen, Design, Seen
from tasuki.experiments.check.thresholds import Thresholds
from tasuki.flow.records import DayVerdict, Probe

PROBES: Mapping[str, Callable[[Case], Probe]] = {
    one.__name__: one
    for one in (
        answering.training_succeeded,
        answering.training_on_schedule,
        outcomes.labels_mature,
        answering.version_published,
        answering.parameters_fetched,
        answering.fallback_rate,
        answering.requests_answered,
        answering.latency,
        splitting.volume,
        splitting.split,
        splitting.assignment_recomputed,
        splitting.units_in_one_arm,
        completeness.exposures_complete,
        completeness.exposures_unique,
        completeness.clock,
        completeness.time_zone,
        inputs.features_present,
        inputs.features_as_trained,
        scores.score_distribution,
        scores.score_distance,
        scores.scores_recomputed,
        outcomes.labels_arrived,
        outcomes.calibration,
        outcomes.guardrail,
        completeness.days_covered,
    )
}

DAILY = (
    "version_published",
    "parameters_fetched",
    "fallback_rate",
    "latency",
    "split",
    "assignment_recomputed",
    "units_in_one_arm",
    "exposures_unique",
    "features_present",
    "score_distribution",
    "score_distance",
)
"""What one day's exposures can answer by themselves."""


def run_probes(design: Design, seen: Seen, limits: Thresholds) -> tuple[Probe, ...]:
    """The verdict of every probe that the team did not take out."""
    case = Case(design, seen, limits)
    return tuple(probe(case) for name, probe in PROBES.items() if name not in limits.not_asked)


def day_verdicts(design: Design, days: Sequence[DaySeen], limits: Thresholds) -> tuple[DayVerdict, ...]:
    """For every day the probes that one day can answer, and those of them that failed.

    A day with hardly any traffic, such as the hour before midnight of the first one, is asked nothing.
    """
    every = tuple(name for name in DAILY if name not in limits.not_asked)
    verdicts = []
    for one in days:
        case = Case(design, one.seen, limits)
        asked = every if one.seen.exposures >= limits.exposures_required * len(design) else ()
        failed = tuple(name for name in asked if not PROBES[name](case).passed)
        verdicts.append(DayVerdict(one.day, one.seen.exposures, asked, failed))
    return tuple(verdicts)


def incidents_of(seen: Seen, limits: Thresholds | None = None) -> tuple[str, ...]:
    """What did not go as it should, counted: every reason for which an arm fell back, and what was not asked."""
    skipped = limits.not_asked if limits is not None else ()
    return (
        *fallbacks_of(seen.answers),
        *(said("not asked, as playbook/check.toml says: {name}", name=name) for name in skipped),
    )
