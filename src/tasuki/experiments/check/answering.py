"""Probes of what answers: training, publication, parameters, fallbacks, failed requests and latency."""

from tasuki.experiments.check.case import Case, Question, listed, share_of
from tasuki.experiments.check.seen import AnswersSeen, ArmDesign
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import TREATMENT
from tasuki.flow.records import Probe

_DAMAGED = ("damaged", "no manifest", "is not the manifest", "cannot be trusted", "cannot be read", "has no manifest")


def training_succeeded(case: Case) -> Probe:
    """Is every arm's version whole, proved, and the result of a complete training run?"""
    ask = Question("training_succeeded", "every arm's version is whole, with its training record")
    faults = {arm: one.training.fault for arm, one in case.design.items() if one.training.fault}
    if not faults:
        return ask.passed(None, "the version of each arm is whole and says what it was trained on")
    every = " ".join(faults.values())
    kind = "golden_mismatch" if "golden" in every else "training_incomplete"
    kind = "artifact_damaged" if any(word in every for word in _DAMAGED) else kind
    return ask.failed(kind, None, "; ".join(f"{arm}: {fault}" for arm, fault in faults.items()))


def training_on_schedule(case: Case) -> Probe:
    """Did the training job run without failing, and recently enough?"""
    limits = case.limits
    threshold = f"trained at most {limits.max_training_age_days:g} days before, at most "
    ask = Question("training_on_schedule", threshold + f"{limits.max_failed_training_runs} failed run(s) meanwhile")
    ages = {arm: one.training.age_days for arm, one in case.design.items() if one.training.age_days is not None}
    oldest = max(ages.values(), default=None)
    if oldest is None or len(ages) < len(case.design):
        lacking = [arm for arm in case.design if arm not in ages]
        return ask.no_data(f"the training run of {', '.join(lacking)} (runs/)")
    told = ", ".join(f"{arm} was trained {age:.1f} days before" for arm, age in ages.items())
    failed = dict.fromkeys(run for one in case.design.values() for run in one.training.failed_runs)
    if len(failed) > limits.max_failed_training_runs:
        return ask.failed("training_failed", oldest, f"{len(failed)} run(s) failed: {listed(failed)}")
    return ask.judged("training_stale" if oldest > limits.max_training_age_days else "", oldest, told)


def version_published(case: Case) -> Probe:
    """Is each arm answered by the version that was published for it?"""
    ask = Question("version_published", "every arm is answered by the version its channel points to")
    own = [one for one in case.seen.answers if one.arm in case.design and not one.fallback and one.version is not None]
    wrong = sum(one.exposures for one in own if one.version not in case.design[one.arm].versions)
    share = share_of(wrong, sum(one.exposures for one in own))
    found = {arm: _version_fault(arm, case) for arm in case.design}
    faults = {arm: one for arm, one in found.items() if one[0]}
    if not faults:
        return ask.passed(share, ", ".join(f"{arm} {_last(one)}" for arm, one in case.design.items()))
    kinds = [kind for kind, _ in faults.values()]
    kind = next(kind for kind in (*_WORST, *kinds) if kind in kinds)
    return ask.failed(kind, share, "; ".join(f"{arm}: {told}" for arm, (_, told) in faults.items()))


_WORST = ("arms_exchanged", "pointer_unreadable", "pointer_stale", "parameters_unavailable")


def _version_fault(arm: str, case: Case) -> tuple[str, str]:
    meant = case.design[arm]
    if meant.pointer_fault:
        return "pointer_stale" if meant.versions else "pointer_unreadable", meant.pointer_fault
    answered = [one for one in case.seen.answers if one.arm == arm and not one.fallback and one.version is not None]
    last = max(answered, key=lambda one: one.last_us, default=None)
    if last is None:
        # Of an arm without any answer nothing is known; of one that only fell back, that its parameters never came.
        return "parameters_unavailable", f"no answer came from {_last(meant)}"
    others = [one for one in answered if one.version not in meant.versions]
    if others:
        said = ", ".join(f"{one.exposures:,} by {one.version}" for one in others)
        return _kind_of(arm, others, case), f"the channel points to {_last(meant)}, but it answered {said}"
    if last.version != meant.versions[-1]:
        return "pointer_stale", f"the channel points to {_last(meant)}, but {last.version} answered last"
    return "", ""


def _kind_of(arm: str, others: list[AnswersSeen], case: Case) -> str:
    elsewhere = {version for name, one in case.design.items() if name != arm for version in one.versions}
    if all(one.version in elsewhere for one in others):
        return "arms_exchanged"
    return "pointer_stale" if all(one.version in case.design[arm].earlier for one in others) else "version_other"


def _last(meant: ArmDesign) -> str:
    return meant.versions[-1] if meant.versions else "nothing"


def parameters_fetched(case: Case) -> Probe:
    """Do the treatment's answers come from its own parameters?"""
    threshold = f"at least {case.limits.min_fetched_share:.2%} of the treatment's answers come from its own parameters"
    ask = Question("parameters_fetched", threshold)
    mine = [one for one in case.seen.answers if one.arm == TREATMENT]
    own = sum(one.exposures for one in mine if not one.fallback and one.version is not None)
    share = share_of(own, sum(one.exposures for one in mine))
    if share is None:
        return ask.no_data("the treatment")
    fault = _fallback_fault(mine) if share < case.limits.min_fetched_share else ""
    return ask.judged(fault, share, f"{share:.2%} of the treatment's answers came from its own parameters")


def fallback_rate(case: Case) -> Probe:
    """Are fallbacks rare in every arm?"""
    ask = Question("fallback_rate", f"at most {case.limits.max_fallback_rate:.2%} in each arm")
    rates = {}
    for arm in case.design:
        mine = [one for one in case.seen.answers if one.arm == arm]
        rate = share_of(sum(one.exposures for one in mine if one.fallback), case.answers_of(arm))
        if rate is None:
            return ask.no_data(arm)
        rates[arm] = rate
    defaults = {arm: _defaults(case, arm) for arm in rates}
    told = ", ".join(f"{arm} {rate:.2%}{defaults[arm]}" for arm, rate in rates.items())
    why = "; ".join(fallbacks_of(case.seen.answers))
    worst = max(rates.values())
    fault = _fallback_fault(case.seen.answers) if worst > case.limits.max_fallback_rate else ""
    return ask.judged(fault, worst, f"{told} ({why})" if why else told)


def _defaults(case: Case, arm: str) -> str:
    """How many of an arm's answers came from no version at all, but were the model's default answer."""
    count = sum(one.exposures for one in case.seen.answers if one.arm == arm and one.fallback and one.version is None)
    return f" ({count:,} of them default answers, which no version gave)" if count else ""


def fallbacks_of(answers: tuple[AnswersSeen, ...]) -> tuple[str, ...]:
    """Every reason for which an arm fell back, counted."""
    counts: dict[tuple[str, str], int] = {}
    for one in answers:
        if one.fallback:
            counts[one.arm, one.reason] = counts.get((one.arm, one.reason), 0) + one.exposures
    return tuple(f"{arm}: {count:,} × {reason or 'no reason given'}" for (arm, reason), count in sorted(counts.items()))


def _fallback_fault(answers: "tuple[AnswersSeen, ...] | list[AnswersSeen]") -> str:
    most = max((one for one in answers if one.fallback), key=lambda one: one.exposures, default=None)
    if most is None:
        return "answers_fall_back"
    start = most.reason.partition(";")[0].partition(":")[0]
    known = {"parameters_unavailable": "parameters_unavailable", "feature_missing": "feature_missing"}
    return known.get(start, "answers_fall_back")


def requests_answered(case: Case) -> Probe:
    """Do the client's requests get an answer?"""
    ask = Question("requests_answered", f"at most {case.limits.max_failed_share:.2%} of the requests get no answer")
    seen = case.seen.requests
    share = share_of(seen.failed, seen.asked) if seen else None
    if seen is None or share is None:
        return ask.no_data("failed requests (--failed, or a table client_counts with a column failed)")
    told = f"{seen.failed:,} of {seen.asked:,} got no answer, by {seen.source}"
    return ask.judged("requests_failed" if share > case.limits.max_failed_share else "", share, told)


def latency(case: Case) -> Probe:
    """Is the treatment about as fast as control, in the middle and at the slow end?"""
    limits = case.limits
    factor, allowance = f"{limits.latency_factor:g}", f"{limits.latency_allowance_ms:g}"
    ask = Question("latency", f"treatment p50 and p99 at most {factor} × control's + {allowance} ms")
    seen = {arm: (one.latency_p50_ms, one.latency_p99_ms) for arm, one in case.seen.arms.items()}
    known = {arm: (p50, p99) for arm, (p50, p99) in seen.items() if p50 is not None and p99 is not None}
    if not {CONTROL, TREATMENT} <= set(known):
        return ask.no_data(CONTROL if CONTROL not in known else TREATMENT)
    allowed = [limits.latency_factor * one + limits.latency_allowance_ms for one in known[CONTROL]]
    told = ", ".join(f"{arm} p50 {p50:.2f} ms, p99 {p99:.2f} ms" for arm, (p50, p99) in known.items())
    is_slow = any(mine > limit for mine, limit in zip(known[TREATMENT], allowed, strict=True))
    said = f"{told}; allowed {allowed[0]:.2f} and {allowed[1]:.2f} ms"
    return ask.judged("slow_arm" if is_slow else "", known[TREATMENT][1], said)
