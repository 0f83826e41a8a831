"""Probes of what answers: training, publication, parameters, fallbacks, failed requests and latency."""

from tasuki.errors import joined, said
from tasuki.experiments.check.case import Case, Question, listed, share_of
from tasuki.experiments.check.seen import AnswersSeen, ArmDesign
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import TREATMENT
from tasuki.flow.records import Probe

_DAMAGED = ("damaged", "no manifest", "is not the manifest", "cannot be trusted", "cannot be read", "has no manifest")


def training_succeeded(case: Case) -> Probe:
    """Is every arm's version whole, proved, and the result of a complete training run?"""
    ask = Question("training_succeeded", said("every arm's version is whole, with its training record"))
    faults = {arm: one.training.fault for arm, one in case.design.items() if one.training.fault}
    if not faults:
        return ask.passed(None, said("the version of each arm is whole and says what it was trained on"))
    every = " ".join(faults.values())
    kind = "golden_mismatch" if "golden" in every else "training_incomplete"
    kind = "artifact_damaged" if any(word in every for word in _DAMAGED) else kind
    return ask.failed(kind, None, joined([said("{arm}: {told}", arm=arm, told=fault) for arm, fault in faults.items()]))


def training_on_schedule(case: Case) -> Probe:
    """Did the training job run without failing, and recently enough?"""
    limits = case.limits
    threshold = said(
        "trained at most {days:g} days before, at most {runs} failed run(s) meanwhile",
        days=limits.max_training_age_days,
        runs=limits.max_failed_training_runs,
    )
    ask = Question("training_on_schedule", threshold)
    ages = {arm: one.training.age_days for arm, one in case.design.items() if one.training.age_days is not None}
    oldest = max(ages.values(), default=None)
    if oldest is None or len(ages) < len(case.design):
        lacking = [arm for arm in case.design if arm not in ages]
        return ask.no_data(said("the training run of {lacking} (runs/)", lacking=tuple(lacking)))
    told = joined(
        [said("{arm} was trained {age:.1f} days before", arm=arm, age=age) for arm, age in ages.items()], ", "
    )
    failed = dict.fromkeys(run for one in case.design.values() for run in one.training.failed_runs)
    if len(failed) > limits.max_failed_training_runs:
        return ask.failed(
            "training_failed", oldest, said("{count} run(s) failed: {runs}", count=len(failed), runs=listed(failed))
        )
    return ask.judged("training_stale" if oldest > limits.max_training_age_days else "", oldest, told)


def version_published(case: Case) -> Probe:
    """Is each arm answered by the version that was published for it?"""
    ask = Question("version_published", said("every arm is answered by the version its channel points to"))
    own = [one for one in case.seen.answers if one.arm in case.design and not one.fallback and one.version is not None]
    wrong = sum(one.exposures for one in own if one.version not in case.design[one.arm].versions)
    share = share_of(wrong, sum(one.exposures for one in own))
    found = {arm: _version_fault(arm, case) for arm in case.design}
    faults = {arm: one for arm, one in found.items() if one[0]}
    if not faults:
        return ask.passed(
            share,
            joined([said("{arm} {version}", arm=arm, version=_last(one)) for arm, one in case.design.items()], ", "),
        )
    kinds = [kind for kind, _ in faults.values()]
    kind = next(kind for kind in (*_WORST, *kinds) if kind in kinds)
    return ask.failed(
        kind, share, joined([said("{arm}: {told}", arm=arm, told=told) for arm, (_, told) in faults.items()])
    )


_WORST = ("arms_exchanged", "pointer_unreadable", "pointer_stale", "parameters_unavailable")


def _version_fault(arm: str, case: Case) -> tuple[str, str]:
    meant = case.design[arm]
    if meant.pointer_fault:
        return "pointer_stale" if meant.versions else "pointer_unreadable", meant.pointer_fault
    answered = [one for one in case.seen.answers if one.arm == arm and not one.fallback and one.version is not None]
    last = max(answered, key=lambda one: one.last_us, default=None)
    if last is None:
        # Of an arm without any answer nothing is known; of one that only fell back, that its parameters never came.
        return "parameters_unavailable", said("no answer came from {last}", last=_last(meant))
    others = [one for one in answered if one.version not in meant.versions]
    if others:
        answered_by = joined(
            [said("{exposures:,} by {version}", exposures=one.exposures, version=one.version) for one in others], ", "
        )
        return _kind_of(arm, others, case), said(
            "the channel points to {last}, but it answered {answered}", last=_last(meant), answered=answered_by
        )
    if last.version != meant.versions[-1]:
        return "pointer_stale", said(
            "the channel points to {last}, but {version} answered last", last=_last(meant), version=last.version
        )
    return "", ""


def _kind_of(arm: str, others: list[AnswersSeen], case: Case) -> str:
    elsewhere = {version for name, one in case.design.items() if name != arm for version in one.versions}
    if all(one.version in elsewhere for one in others):
        return "arms_exchanged"
    return "pointer_stale" if all(one.version in case.design[arm].earlier for one in others) else "version_other"


def _last(meant: ArmDesign) -> str:
    return meant.versions[-1] if meant.versions else said("nothing")


def parameters_fetched(case: Case) -> Probe:
    """Do the treatment's answers come from its own parameters?"""
    threshold = said(
        "at least {min_fetched_share:.2%} of the treatment's answers come from its own parameters",
        min_fetched_share=case.limits.min_fetched_share,
    )
    ask = Question("parameters_fetched", threshold)
    mine = [one for one in case.seen.answers if one.arm == TREATMENT]
    own = sum(one.exposures for one in mine if not one.fallback and one.version is not None)
    share = share_of(own, sum(one.exposures for one in mine))
    if share is None:
        return ask.no_data(said("the treatment"))
    fault = _fallback_fault(mine) if share < case.limits.min_fetched_share else ""
    return ask.judged(
        fault, share, said("{share:.2%} of the treatment's answers came from its own parameters", share=share)
    )


def fallback_rate(case: Case) -> Probe:
    """Are fallbacks rare in every arm?"""
    ask = Question(
        "fallback_rate",
        said("at most {max_fallback_rate:.2%} in each arm", max_fallback_rate=case.limits.max_fallback_rate),
    )
    rates = {}
    for arm in case.design:
        mine = [one for one in case.seen.answers if one.arm == arm]
        rate = share_of(sum(one.exposures for one in mine if one.fallback), case.answers_of(arm))
        if rate is None:
            return ask.no_data(arm)
        rates[arm] = rate
    defaults = {arm: _defaults(case, arm) for arm in rates}
    told = joined(
        [said("{arm} {rate:.2%}{defaults}", arm=arm, rate=rate, defaults=defaults[arm]) for arm, rate in rates.items()],
        ", ",
    )
    why = joined(fallbacks_of(case.seen.answers))
    worst = max(rates.values())
    fault = _fallback_fault(case.seen.answers) if worst > case.limits.max_fallback_rate else ""
    return ask.judged(fault, worst, said("{told} ({why})", told=told, why=why) if why else told)


def _defaults(case: Case, arm: str) -> str:
    """How many of an arm's answers came from no version at all, but were the model's default answer."""
    count = sum(one.exposures for one in case.seen.answers if one.arm == arm and one.fallback and one.version is None)
    return said(" ({count:,} of them default answers, which no version gave)", count=count) if count else ""


def fallbacks_of(answers: tuple[AnswersSeen, ...]) -> tuple[str, ...]:
    """Every reason for which an arm fell back, counted."""
    counts: dict[tuple[str, str], int] = {}
    for one in answers:
        if one.fallback:
            counts[one.arm, one.reason] = counts.get((one.arm, one.reason), 0) + one.exposures
    return tuple(
        said("{arm}: {count:,} × {reason}", arm=arm, count=count, reason=reason or said("no reason given"))
        for (arm, reason), count in sorted(counts.items())
    )


def _fallback_fault(answers: "tuple[AnswersSeen, ...] | list[AnswersSeen]") -> str:
    most = max((one for one in answers if one.fallback), key=lambda one: one.exposures, default=None)
    if most is None:
        return "answers_fall_back"
    start = most.reason.partition(";")[0].partition(":")[0]
    known = {"parameters_unavailable": "parameters_unavailable", "feature_missing": "feature_missing"}
    return known.get(start, "answers_fall_back")


def requests_answered(case: Case) -> Probe:
    """Do the client's requests get an answer?"""
    ask = Question(
        "requests_answered",
        said(
            "at most {max_failed_share:.2%} of the requests get no answer",
            max_failed_share=case.limits.max_failed_share,
        ),
    )
    seen = case.seen.requests
    share = share_of(seen.failed, seen.asked) if seen else None
    if seen is None or share is None:
        return ask.no_data(said("failed requests (--failed, or a table client_counts with a column failed)"))
    told = said(
        "{failed:,} of {asked:,} got no answer, by {source}", failed=seen.failed, asked=seen.asked, source=seen.source
    )
    return ask.judged("requests_failed" if share > case.limits.max_failed_share else "", share, told)


def latency(case: Case) -> Probe:
    """Is the treatment about as fast as control, in the middle and at the slow end?"""
    limits = case.limits
    factor, allowance = f"{limits.latency_factor:g}", f"{limits.latency_allowance_ms:g}"
    ask = Question(
        "latency",
        said("treatment p50 and p99 at most {factor} × control's + {allowance} ms", factor=factor, allowance=allowance),
    )
    seen = {arm: (one.latency_p50_ms, one.latency_p99_ms) for arm, one in case.seen.arms.items()}
    known = {arm: (p50, p99) for arm, (p50, p99) in seen.items() if p50 is not None and p99 is not None}
    if not {CONTROL, TREATMENT} <= set(known):
        return ask.no_data(CONTROL if CONTROL not in known else TREATMENT)
    allowed = [limits.latency_factor * one + limits.latency_allowance_ms for one in known[CONTROL]]
    told = joined(
        [
            said("{arm} p50 {p50:.2f} ms, p99 {p99:.2f} ms", arm=arm, p50=p50, p99=p99)
            for arm, (p50, p99) in known.items()
        ],
        ", ",
    )
    is_slow = any(mine > limit for mine, limit in zip(known[TREATMENT], allowed, strict=True))
    compared = said("{told}; allowed {p50:.2f} and {p99:.2f} ms", told=told, p50=allowed[0], p99=allowed[1])
    return ask.judged("slow_arm" if is_slow else "", known[TREATMENT][1], compared)
