"""A/B 1: does it behave as designed? Pure probes over sufficient counts; each names one way in which it may not.

`Design` is what was meant to happen, `Seen` what the logs say happened, `Thresholds` what is allowed between the two.
A probe without data fails: "nothing was seen" is never "it behaves".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from math import isfinite, isnan, nan
from typing import Any

from tasuki.errors import Fault, Invalid
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import TREATMENT
from tasuki.flow.records import Probe
from tasuki.stats.split import SRM_THRESHOLD, split_p_value
from tasuki.stats.stability import population_stability


@dataclass(frozen=True)
class Thresholds:
    """What is allowed. The defaults suit a bidder that answers in a few milliseconds.

    Args:
        days_required: Days with traffic.
        exposures_required: Exposures in each arm; fewer prove nothing.
        max_fallback_rate: The largest share of an arm's answers that fell back.
        min_fetched_share: The least share of the treatment's answers that came from its own parameters.
        latency_factor: How many times control's p99 the treatment's may be …
        latency_allowance_ms: … and how much more on top of that.
        min_split_p_value: A split less likely than this is a fault, not chance.
        max_count_difference: How far the log may be from the client's own count.
        max_null_share: The largest share of exposures without a value for an input.
        max_nullable_null_share: The same for an input that may be null: all null is a fault there, too.
        max_stability_index: How far the scores' distribution may have moved.
        max_score_difference: How far a score computed again may be from the one that was served.
    """

    days_required: float = 1.0
    exposures_required: int = 100
    max_fallback_rate: float = 0.01
    min_fetched_share: float = 0.99
    latency_factor: float = 1.5
    latency_allowance_ms: float = 5.0
    min_split_p_value: float = SRM_THRESHOLD
    max_count_difference: float = 0.001
    max_null_share: float = 0.01
    max_nullable_null_share: float = 0.9
    max_stability_index: float = 0.25
    max_score_difference: float = 1e-9


@dataclass(frozen=True)
class ArmDesign:
    """An arm as designed.

    Args:
        share: Its share of the units.
        versions: The versions its channel pointed to while the experiment ran, the last one at its end.
        pointer_fault: Why the pointer cannot be read; empty when it can.
        training_fault: Why its version is not the result of a complete training run; empty when it is.
    """

    share: float
    versions: tuple[str, ...] = ()
    pointer_fault: str = ""
    training_fault: str = ""


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
class InputSeen:
    """A named input of an arm's model in the logged features: how often it was not there, and how often null."""

    arm: str
    name: str
    nullable: bool
    exposures: int
    absent: int
    null: int


@dataclass(frozen=True)
class ScoresSeen:
    """The treatment's own scores counted in bins, and the share expected of each bin; `source` says by what."""

    counts: tuple[int, ...]
    expected: tuple[float, ...]
    source: str


@dataclass(frozen=True)
class Recomputed:
    """Logged scores computed again from the logged inputs: how many, the largest difference, or why not."""

    rows: int
    difference: float | None
    fault: str = ""


@dataclass(frozen=True)
class Counted:
    """What the client counted and what the log holds; `name` is an arm, or says which count it is."""

    name: str
    sent: int
    logged: int


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
    counted: tuple[Counted, ...] = ()
    inputs: tuple[InputSeen, ...] = ()
    scores: ScoresSeen | None = None
    recomputed: Recomputed | None = None
    days: float = 0.0
    days_source: str = "nothing"


Design = Mapping[str, ArmDesign]


@dataclass(frozen=True)
class _Case:
    design: Design
    seen: Seen
    limits: Thresholds


def thresholds_of(values: Mapping[str, object]) -> Thresholds:
    """Thresholds from a team's own table; what it does not name keeps its default.

    Raises:
        Invalid: Naming every entry that is unknown, or no number of 0 or more.
    """
    known = {one.name for one in fields(Thresholds)}
    faults = [Fault(name, "is no threshold", ", ".join(sorted(known))) for name in values if name not in known]
    numbers: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value >= 0):
            faults.append(Fault(name, f"{value!r} is no threshold", "a number, 0 or more"))
        numbers[name] = value
    if faults:
        raise Invalid("the thresholds of A/B 1 cannot be used", faults)
    return Thresholds(**numbers)


def run_probes(design: Design, seen: Seen, limits: Thresholds) -> tuple[Probe, ...]:
    """The verdict of every probe, in the order in which an engineer would look for the cause."""
    case = _Case(design, seen, limits)
    return tuple(probe(case) for probe in PROBES)


def incidents_of(seen: Seen) -> tuple[str, ...]:
    """What did not go as it should, counted: every reason for which an arm fell back."""
    counts: dict[tuple[str, str], int] = {}
    for one in seen.answers:
        if one.fallback:
            counts[one.arm, one.reason] = counts.get((one.arm, one.reason), 0) + one.exposures
    return tuple(f"{arm}: {count:,} × {reason or 'no reason given'}" for (arm, reason), count in sorted(counts.items()))


def _training_succeeded(case: _Case) -> Probe:
    faults = [f"{arm}: {one.training_fault}" for arm, one in case.design.items() if one.training_fault]
    told = "; ".join(faults) or "the version of each arm is whole and says what it was trained on"
    return Probe("training_succeeded", not faults, None, "every arm's version is whole, with its training record", told)


def _version_published(case: _Case) -> Probe:
    threshold = "every arm is answered by the version its channel points to"
    faults = {arm: fault for arm, meant in case.design.items() if (fault := _version_fault(arm, meant, case.seen))}
    told = "; ".join(f"{arm}: {fault}" for arm, fault in faults.items())
    told = told or ", ".join(f"{arm} {_last(one)}" for arm, one in case.design.items())
    own = [one for one in case.seen.answers if one.arm in case.design and not one.fallback and one.version is not None]
    wrong = sum(one.exposures for one in own if one.version not in case.design[one.arm].versions)
    share = _share(wrong, sum(one.exposures for one in own))
    return Probe("version_published", not faults, share, threshold, told)


def _version_fault(arm: str, meant: ArmDesign, seen: Seen) -> str:
    if meant.pointer_fault:
        return meant.pointer_fault
    answered = [one for one in seen.answers if one.arm == arm and not one.fallback and one.version is not None]
    last = max(answered, key=lambda one: one.last_us, default=None)
    if last is None:
        return f"no answer came from {_last(meant)}"
    others = ", ".join(f"{one.exposures:,} by {one.version}" for one in answered if one.version not in meant.versions)
    if others:
        return f"the channel points to {_last(meant)}, but it answered {others}"
    if last.version != meant.versions[-1]:
        return f"the channel points to {_last(meant)}, but {last.version} answered last"
    return ""


def _last(meant: ArmDesign) -> str:
    return meant.versions[-1] if meant.versions else "nothing"


def _parameters_fetched(case: _Case) -> Probe:
    mine = [one for one in case.seen.answers if one.arm == TREATMENT]
    own = sum(one.exposures for one in mine if not one.fallback and one.version is not None)
    share = _share(own, sum(one.exposures for one in mine))
    threshold = f"at least {case.limits.min_fetched_share:.2%} of the treatment's answers come from its own parameters"
    if share is None:
        return _no_data("parameters_fetched", threshold, "the treatment")
    told = f"{share:.2%} of the treatment's answers came from its own parameters"
    return Probe("parameters_fetched", share >= case.limits.min_fetched_share, share, threshold, told)


def _fallback_rate(case: _Case) -> Probe:
    threshold = f"at most {case.limits.max_fallback_rate:.2%} in each arm"
    rates = {}
    for arm in case.design:
        mine = [one for one in case.seen.answers if one.arm == arm]
        rate = _share(sum(one.exposures for one in mine if one.fallback), sum(one.exposures for one in mine))
        if rate is None:
            return _no_data("fallback_rate", threshold, arm)
        rates[arm] = rate
    told = ", ".join(f"{arm} {rate:.2%}" for arm, rate in rates.items())
    why = "; ".join(incidents_of(case.seen))
    worst = max(rates.values())
    passed = worst <= case.limits.max_fallback_rate
    return Probe("fallback_rate", passed, worst, threshold, f"{told} ({why})" if why else told)


def _latency(case: _Case) -> Probe:
    limits = case.limits
    threshold = f"treatment p99 at most {limits.latency_factor:g} × control's + {limits.latency_allowance_ms:g} ms"
    seen = {arm: (one.latency_p50_ms, one.latency_p99_ms) for arm, one in case.seen.arms.items()}
    known = {arm: (p50, p99) for arm, (p50, p99) in seen.items() if p50 is not None and p99 is not None}
    if not {CONTROL, TREATMENT} <= set(known):
        return _no_data("latency", threshold, CONTROL if CONTROL not in known else TREATMENT)
    allowed = limits.latency_factor * known[CONTROL][1] + limits.latency_allowance_ms
    told = ", ".join(f"{arm} p50 {p50:.2f} ms, p99 {p99:.2f} ms" for arm, (p50, p99) in known.items())
    value = known[TREATMENT][1]
    return Probe("latency", value <= allowed, value, threshold, f"{told}; allowed {allowed:.2f} ms")


def _volume(case: _Case) -> Probe:
    threshold = f"at least {case.limits.exposures_required:,} exposures in each arm"
    counts = {arm: case.seen.arms[arm].exposures if arm in case.seen.arms else 0 for arm in case.design}
    fewest = min(counts.values())
    if not case.seen.exposures:
        return _no_data("volume", threshold, "any arm")
    told = ", ".join(f"{arm} {count:,}" for arm, count in counts.items())
    return Probe("volume", fewest >= case.limits.exposures_required, float(fewest), threshold, told)


def _split(case: _Case) -> Probe:
    threshold = f"p-value of the split at least {case.limits.min_split_p_value:g}"
    counts = {arm: case.seen.arms[arm].units if arm in case.seen.arms else 0 for arm in case.design}
    p_value = split_p_value(list(counts.values()), [one.share for one in case.design.values()])
    if isnan(p_value):
        return _no_data("split", threshold, "any arm")
    strangers = sorted(set(case.seen.arms) - set(case.design))
    told = ", ".join(
        f"{arm} {count:,} units for a share of {case.design[arm].share:g}" for arm, count in counts.items()
    )
    if strangers:
        told += f"; arms that were not designed: {', '.join(strangers)}"
    return Probe("split", p_value >= case.limits.min_split_p_value and not strangers, p_value, threshold, told)


def _assignment_recomputed(case: _Case) -> Probe:
    threshold = "every unit is in the arm that salt and shares give it"
    share = _share(case.seen.misassigned_units, case.seen.units)
    if share is None:
        return _no_data("assignment_recomputed", threshold, "any arm")
    wrong, units = case.seen.misassigned_units, case.seen.units
    told = f"{wrong:,} of {units:,} units were answered in another arm than their hash says"
    return Probe("assignment_recomputed", not case.seen.misassigned_units, share, threshold, told)


def _units_in_one_arm(case: _Case) -> Probe:
    threshold = "no unit is in two arms"
    share = _share(case.seen.units_in_several_arms, case.seen.units)
    if share is None:
        return _no_data("units_in_one_arm", threshold, "any arm")
    told = f"{case.seen.units_in_several_arms:,} of {case.seen.units:,} units were answered in more than one arm"
    return Probe("units_in_one_arm", not case.seen.units_in_several_arms, share, threshold, told)


def _exposures_complete(case: _Case) -> Probe:
    threshold = f"the log differs from the client's count by at most {case.limits.max_count_difference:.2%}"
    known = [one for one in case.seen.counted if one.sent]
    if not known or not case.seen.exposures:
        what = "the client's count (--sent, or a table outcomes)" if case.seen.exposures else "any arm"
        return _no_data("exposures_complete", threshold, what)
    worst = max(abs(one.sent - one.logged) / one.sent for one in known)
    told = "; ".join(f"{one.name}: {one.logged:,} logged of {one.sent:,} counted" for one in known)
    return Probe("exposures_complete", worst <= case.limits.max_count_difference, 1 - worst, threshold, told)


def _exposures_unique(case: _Case) -> Probe:
    threshold = "no exposure is in the log twice"
    doubled = case.seen.exposures - case.seen.distinct_exposures
    share = _share(doubled, case.seen.exposures)
    if share is None:
        return _no_data("exposures_unique", threshold, "any arm")
    told = f"{doubled:,} of {case.seen.exposures:,} rows repeat another"
    return Probe("exposures_unique", not doubled, share, threshold, told)


def _features_present(case: _Case) -> Probe:
    threshold = (
        f"each input is absent or null in at most {case.limits.max_null_share:.2%} of the exposures "
        f"(null in at most {case.limits.max_nullable_null_share:.0%} where the model allows null)"
    )
    if not any(one.exposures for one in case.seen.inputs):
        what = "the inputs of a model that can be read" if case.seen.exposures else "any arm"
        return _no_data("features_present", threshold, what)
    faults, worst = [], 0.0
    for one in case.seen.inputs:
        absent, null = (_share(count, one.exposures) or 0.0 for count in (one.absent, one.null))
        worst = max(worst, absent if one.nullable else absent + null)
        allowed = case.limits.max_nullable_null_share if one.nullable else case.limits.max_null_share
        if absent > case.limits.max_null_share or absent + null > allowed:
            faults.append(f"{one.arm}: {one.name} is absent in {absent:.2%} and null in {null:.2%}")
    told = "; ".join(faults) or f"{len({one.name for one in case.seen.inputs})} inputs are there"
    return Probe("features_present", not faults, worst, threshold, told)


def _score_distribution(case: _Case) -> Probe:
    threshold = f"population stability index at most {case.limits.max_stability_index:g}"
    index = population_stability(case.seen.scores.counts, case.seen.scores.expected) if case.seen.scores else nan
    if case.seen.scores is None or isnan(index):
        return _no_data("score_distribution", threshold, "the treatment's own scores, or what to expect of them")
    told = f"the treatment's {sum(case.seen.scores.counts):,} own scores have an index of {index:.3f} against "
    passed = index <= case.limits.max_stability_index
    return Probe("score_distribution", passed, index, threshold, told + case.seen.scores.source)


def _scores_recomputed(case: _Case) -> Probe:
    threshold = f"scores computed again from the logged inputs differ by at most {case.limits.max_score_difference:g}"
    again = case.seen.recomputed
    if again is None or (not again.rows and not again.fault):
        return _no_data("scores_recomputed", threshold, "any version that answered")
    passed = not again.fault and again.difference is not None and again.difference <= case.limits.max_score_difference
    difference = "" if again.difference is None else f"{again.rows:,} scores, largest difference {again.difference:.3g}"
    told = "; ".join(filter(None, (difference, again.fault)))
    return Probe("scores_recomputed", passed, again.difference, threshold, told)


def _days_covered(case: _Case) -> Probe:
    threshold = f"at least {case.limits.days_required:g} days"
    if not case.seen.exposures:
        return _no_data("days_covered", threshold, "any arm")
    told = f"{case.seen.days:.2f} days by {case.seen.days_source}"
    return Probe("days_covered", case.seen.days >= case.limits.days_required, case.seen.days, threshold, told)


def _no_data(name: str, threshold: str, what: str) -> Probe:
    return Probe(name, False, None, threshold, f"no data: nothing was logged about {what}")


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


PROBES: tuple[Callable[[_Case], Probe], ...] = (
    _training_succeeded,
    _version_published,
    _parameters_fetched,
    _fallback_rate,
    _latency,
    _volume,
    _split,
    _assignment_recomputed,
    _units_in_one_arm,
    _exposures_complete,
    _exposures_unique,
    _features_present,
    _score_distribution,
    _scores_recomputed,
    _days_covered,
)
