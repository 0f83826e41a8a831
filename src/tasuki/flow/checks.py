"""The machine checks of the contracts: what is looked at when an idea is offered.

Most are pure over the idea's state. Those in `RUNNING` have to run something (a query, a training, a scorer); the
action runs them (`tasuki.actions.checks`) and hands their results in.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasuki.errors import joined, said
from tasuki.flow.lint import lint_brief
from tasuki.flow.plan import Member
from tasuki.flow.state import EvidenceEntry, IdeaState
from tasuki.texts import from_record


@dataclass(frozen=True)
class Offering:
    """What a check looks at: the idea, who offers it, and the team."""

    state: IdeaState
    actor: str
    members: Mapping[str, Member]

    def record(self, kind: str) -> Mapping[str, Any]:
        """The newest record of a kind; the checks' `needs` make sure that there is one."""
        entry = self.state.latest(kind)
        return {} if entry is None else entry.record


@dataclass(frozen=True)
class CheckResult:
    """Whether a check passed, and what it saw."""

    name: str
    passed: bool
    seen: str


@dataclass(frozen=True)
class Check:
    """A check by name.

    Args:
        needs: Kinds of evidence without which it cannot look.
        how: What to do when it fails.
        faults: What is wrong, empty when it passes; None for a check that has to run something.
    """

    needs: tuple[str, ...]
    how: str
    faults: Callable[[Offering], list[str]] | None = None


def run_check(name: str, offering: Offering) -> CheckResult:
    """The result of a pure check."""
    look = CHECKS[name].faults
    if look is None:
        raise ValueError(f"the check {name} has to run something: its result is handed in")
    faults = look(offering)
    return CheckResult(name, not faults, joined(faults) if faults else "passed")


def _hypothesis_lint(offering: Offering) -> list[str]:
    return list(lint_brief(offering.record("hypothesis_brief")))


def _cases_looked_up(offering: Offering) -> list[str]:
    return [] if offering.state.look_ups else [said("nobody has looked up past cases for this idea")]


def _interval_present(offering: Offering) -> list[str]:
    estimate = offering.record("opportunity_estimate")
    low, size, high = (estimate[name] for name in ("size_low", "size", "size_high"))
    if not low <= size <= high:
        return [said("the size {size:g} lies outside its interval {low:g} to {high:g}", size=size, low=low, high=high)]
    return [] if low < high else [said("the interval of the opportunity has no width ({low:g})", low=low)]


def _quality_passed(offering: Offering) -> list[str]:
    findings = offering.record("data_report")["quality"]
    return [said("{check}: {seen}", check=one["check"], seen=one["seen"]) for one in findings if not one["passed"]]


def _features_online(offering: Offering) -> list[str]:
    features = offering.record("model_card")["features"]
    return [
        said("the feature {name} is not available online", name=one["name"]) for one in features if not one["online"]
    ]


def _schema_valid(offering: Offering) -> list[str]:
    golden = offering.record("golden_examples")
    types = {one["name"]: one["type"] for one in golden["inputs"]}
    faults = [] if len(types) == len(golden["inputs"]) else [said("an input is named twice")]
    card = offering.state.latest("model_card")
    if card is not None and card.record["version"] != golden["version"]:
        faults.append(
            said(
                "the examples are of version {version}, the model card of {other}",
                version=golden["version"],
                other=card.record["version"],
            )
        )
    for number, example in enumerate(golden["examples"]):
        faults += [
            said("example {number}: {fault}", number=number, fault=fault)
            for fault in _misfits(example["features"], types)
        ]
        if not math.isfinite(example["score"]):
            faults.append(said("example {number}: the score is not finite", number=number))
    return faults


def _misfits(features: Mapping[str, Any], types: Mapping[str, str]) -> list[str]:
    faults = [said("{name} is missing", name=name) for name in types if name not in features]
    faults += [said("{name} is not in the schema", name=name) for name in features if name not in types]
    for name, value in features.items():
        if value is not None and name in types and not _fits(value, types[name]):
            faults.append(said("{name} is {value!r}, not a {type}", name=name, value=value, type=said(types[name])))
    return faults


def _fits(value: object, kind: str) -> bool:
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "time":
        try:
            datetime.fromisoformat(str(value))
        except ValueError:
            return False
    return isinstance(value, str | int)


def _rule_before_report(offering: Offering) -> list[str]:
    report = offering.record("offline_report")
    first = next(
        one
        for one in offering.state.evidence
        if one.kind == "offline_report" and one.record["challenger"] == report["challenger"]
    )
    if any(rule.sequence < first.sequence for rule in offering.state.rules):
        return []
    return [
        said("no go/kill rule was recorded before the first report on {challenger}", challenger=report["challenger"])
    ]


def _rollback_rehearsed(offering: Offering) -> list[str]:
    return [] if offering.record("readiness_note")["rollback_rehearsed"] else [said("the rollback was not rehearsed")]


def _reviewed_by_other(offering: Offering) -> list[str]:
    reviewer = offering.record("readiness_note")["reviewer"]
    if reviewer not in offering.members:
        return [
            said(
                "the reviewer {reviewer!r} is no member of the team ({members})",
                reviewer=reviewer,
                members=tuple(offering.members),
            )
        ]
    return (
        [said("the reviewer is the one who offers: a second person reads the code")]
        if reviewer == offering.actor
        else []
    )


def _check_passed(offering: Offering) -> list[str]:
    report = offering.record("check_report")
    faults = [
        said(
            "{name}: {explanation} (allowed: {threshold})",
            name=one["name"],
            explanation=_kept(one, "told", one["explanation"]),
            threshold=_kept(one, "threshold", one["threshold"]),
        )
        for one in report["probes"]
        if not one["passed"]
    ]
    if report["days"] < report["days_required"]:
        faults.append(
            said(
                "it covers {days:g} of the {days_required:g} days required",
                days=report["days"],
                days_required=report["days_required"],
            )
        )
    if not report["passed"] and not faults:
        faults.append(said("the report says that A/B 1 did not pass"))
    return faults


def _kept(probe: Mapping[str, Any], part: str, text: str) -> str:
    return from_record((probe.get("said") or {}).get(part), text)


def _power_computed(offering: Offering) -> list[str]:
    plan = offering.record("experiment_plan")
    report = offering.state.latest("comparison_report")
    faults = [] if plan["kind"] == "comparison" else [said("the newest plan is for A/B 1, not for A/B 2")]
    if report is None:
        return faults
    if plan["experiment"] != report.record["experiment"]:
        faults.append(
            said(
                "the plan is for {experiment}, the report for {other}",
                experiment=plan["experiment"],
                other=report.record["experiment"],
            )
        )
    if _registered(offering.state) > report.sequence:
        faults.append(said("the plan was attached after the report"))
    return faults


def _registered(state: IdeaState) -> int:
    entry: EvidenceEntry | None = state.latest("experiment_plan")
    return 0 if entry is None else entry.sequence


def _split_as_planned(offering: Offering) -> list[str]:
    srm = offering.record("comparison_report")["srm"]
    return (
        []
        if srm["passed"]
        else [said("the split is not as planned (sample ratio mismatch, p = {p_value})", p_value=srm["p_value"])]
    )


_SEQUENTIAL = ("sequential", "always-valid", "always valid", "逐次")


def _no_look_outside_rule(offering: Offering) -> list[str]:
    plan = offering.record("experiment_plan")
    experiment = next((one for one in offering.state.experiments if one.name == plan["experiment"]), None)
    if experiment is None or experiment.started_at is None:
        return []
    registered = next(one for one in reversed(offering.state.evidence) if one.kind == "experiment_plan")
    faults = [said("the plan was registered after the start")] if registered.attached_at > experiment.started_at else []
    if any(word in plan["stop_rule"].lower() for word in _SEQUENTIAL):
        return faults
    early = [at for at in experiment.looks if (at - experiment.started_at).total_seconds() < plan["days"] * 86400]
    if early:
        faults.append(
            said(
                "{count} look(s) before the {days} days were over, and the stop rule allows none",
                count=len(early),
                days=plan["days"],
            )
        )
    return faults


def _clean_up_dated(offering: Offering) -> list[str]:
    decision = offering.record("decision")
    dated = decision["clean_up_done"] or decision["clean_up_due"]
    return [] if dated else [said("the clean-up of flag and dead path is neither done nor dated")]


def _case_complete(offering: Offering) -> list[str]:
    kinds = {one.kind for one in offering.state.evidence}
    wanted = {"decision": "decision", "learning": "learning"}
    if "hypothesis" in offering.state.stages:
        wanted["hypothesis_brief"] = "hypothesis"
    return [said("the case has no {what}", what=said(name)) for kind, name in wanted.items() if kind not in kinds]


def _monitoring_owner_known(offering: Offering) -> list[str]:
    owner = offering.record("decision")["monitoring_owner"]
    return (
        []
        if owner in offering.members
        else [said("the monitoring owner {owner!r} is no member of the team", owner=owner)]
    )


CHECKS: Mapping[str, Check] = {
    "hypothesis_lint": Check(("hypothesis_brief",), "mend the brief and attach it again", _hypothesis_lint),
    "cases_looked_up": Check((), "tasuki case search WORDS --idea {idea}", _cases_looked_up),
    "queries_rerun": Check(("data_report",), "run the queries again and attach what they give now"),
    "interval_present": Check(("opportunity_estimate",), "attach the estimate with its interval", _interval_present),
    "quality_passed": Check(("data_report",), "mend the data, then attach a new data report", _quality_passed),
    "training_reproduces": Check(("model_card",), "train again from a clean commit: tasuki model train"),
    "features_online": Check(("model_card",), "drop the feature, or bring it online first", _features_online),
    "golden_examples_pass": Check(("golden_examples",), "attach the examples of the version that is offered"),
    "schema_valid": Check(("golden_examples",), "attach examples that fit their own schema", _schema_valid),
    "rule_before_report": Check(
        ("offline_report",), 'tasuki idea rule {idea} "TEXT" before the report of a new challenger', _rule_before_report
    ),
    "golden_parity": Check(("publication", "golden_examples"), "publish the version whose examples were handed over"),
    "job_dry_run": Check(("readiness_note", "model_card"), "make the training job run through: tasuki model train"),
    "rollback_rehearsed": Check(("readiness_note",), "rehearse it, then say so in the note", _rollback_rehearsed),
    "reviewed_by_other": Check(("readiness_note",), "let another member read it and name them", _reviewed_by_other),
    "check_passed": Check(
        ("check_report",), "mend what fails, or send the idea back: tasuki handoff return", _check_passed
    ),
    "power_computed": Check(("experiment_plan",), "register the plan before the start", _power_computed),
    "split_as_planned": Check(("comparison_report",), "find the cause of the split and run again", _split_as_planned),
    "no_look_outside_rule": Check(
        ("experiment_plan", "comparison_report"), "run again and keep to the stop rule", _no_look_outside_rule
    ),
    "clean_up_dated": Check(("decision",), "do the clean-up or give it a date", _clean_up_dated),
    "case_complete": Check((), "attach what the case lacks", _case_complete),
    "monitoring_owner_known": Check(("decision",), "name a member who watches over it", _monitoring_owner_known),
}
RUNNING = frozenset(name for name, check in CHECKS.items() if check.faults is None)
"""The checks that have to run something."""
