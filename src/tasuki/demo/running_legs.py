"""The last four legs: implementation, A/B 1, A/B 2 and evaluation, with the inference service running."""

from datetime import timedelta

from tasuki.actions.check import ClientSaid, StartRequest, check_experiment, start_experiment, stop_experiment
from tasuki.actions.comparison import PlanRequest, compare_experiment, plan_experiment
from tasuki.actions.models import publish_model, roll_back_model
from tasuki.actions.relay import offer_handoff, return_handoff
from tasuki.demo.evaluation_leg import effect_in_words
from tasuki.demo.relay import Relay
from tasuki.demo.service_process import wait_for_health
from tasuki.errors import Refused
from tasuki.flow.records import ComparisonReport, ReadinessNote
from tasuki.flow.relay import NewDebt

WRONG_LOCATION = "artifacts-staging"


def run_implementation(relay: Relay, champion: str, challenger: str) -> None:
    """The engineer publishes, rehearses the rollback for real, and lets somebody else read the code."""
    relay.narrator.chapter("5 · Implementation (sota, ML engineer)")
    relay.clock.advance(days=2)
    model = relay.ground.model
    for version in (champion, challenger):
        publish_model(relay.workspace, model, version, channel="challenger", actor="sota")
    back = roll_back_model(relay.workspace, model, channel="challenger", actor="sota")
    relay.narrator.say(f"sota rehearses the rollback: the channel points to {back.version[:12]} again")
    publish_model(relay.workspace, model, challenger, channel="challenger", actor="sota", idea=relay.idea)
    relay.narrator.say(f"sota publishes {challenger[:12]} on the channel challenger")
    _note_readiness(relay, WRONG_LOCATION)
    relay.offer("sota", "yui", days=1)
    due = (relay.clock() + timedelta(days=10)).date()
    relay.take("yui", 5, debts=(NewDebt(relay.texts["hand_offs"]["debt"], "sota", due),))


def _note_readiness(relay: Relay, fetch_path: str) -> None:
    said = relay.texts["readiness"]
    note = ReadinessNote(
        schedule=said["schedule"],
        fetch_path=fetch_path,
        monitors=tuple(said["monitors"]),
        rollback=said["rollback"],
        rollback_rehearsed=True,
        dry_run_succeeded=True,
        reviewer="yui",
        review_notes=said["review"],
    )
    relay.attach(note, by="sota")


def run_check(relay: Relay, address: str) -> None:
    """A/B 1 fails: the service cannot fetch the treatment's parameters. It goes back, is mended, and passes."""
    relay.narrator.chapter("6 · A/B 1: does it behave as designed? (yui, ML engineer)")
    failed = _check(relay, address, "recency-check-1", WRONG_LOCATION)
    relay.narrator.say(f"A/B 1 fails: {', '.join(failed)}")
    try:
        offer_handoff(relay.workspace, relay.idea, actor="yui", to_member="mio")
    except Refused as error:
        relay.narrator.refused(error)
    hand_offs = relay.texts["hand_offs"]
    reason = hand_offs["late"].format(location=WRONG_LOCATION)
    return_handoff(
        relay.workspace,
        relay.idea,
        actor="yui",
        reason_code=hand_offs["late_code"],
        reason=reason,
        to_stage="implementation",
    )
    relay.narrator.say(f"yui returns it to implementation: {reason}")
    relay.clock.advance(days=0.5)
    _note_readiness(relay, relay.workspace.artifacts_location)
    relay.offer("sota", "yui", days=0.5)
    relay.take("yui", 3)
    failed = _check(relay, address, "recency-check-2", relay.workspace.artifacts_location)
    relay.narrator.say(f"A/B 1 {'fails: ' + ', '.join(failed) if failed else 'passes every probe'}")
    relay.offer("yui", "mio", days=0.2)
    relay.take("mio", 10)


def _check(relay: Relay, address: str, experiment: str, location: str) -> tuple[str, ...]:
    """Starts A/B 1, plays its traffic and checks it; gives the names of the probes that failed."""
    shares = {"control": 0.7, "treatment": 0.3}
    request = StartRequest(experiment, "check", relay.ground.model, shares, location)
    relay.wait_for_midnight()
    start_experiment(relay.workspace, relay.idea, request, actor="yui")
    wait_for_health(address, "experiment", experiment)
    played = relay.ground.play("check", address)
    relay.clock.advance(days=played.days)
    stop_experiment(relay.workspace, relay.idea, experiment, actor="yui")
    wait_for_health(address, "experiment", None)
    report = check_experiment(
        relay.workspace, relay.idea, experiment, actor="yui", said=ClientSaid(played.sent, played.failed)
    )
    return tuple(probe.name for probe in report.probes if not probe.passed)


def run_comparison(relay: Relay, address: str) -> ComparisonReport:
    """A/B 2: planned with its power, registered, played, compared once at the planned end."""
    relay.narrator.chapter("7 · A/B 2: is it better? (mio, data scientist)")
    rule = relay.texts["rule"]
    request = PlanRequest(
        experiment="recency-comparison",
        model=relay.ground.model,
        primary=relay.ground.primary,
        guardrails=relay.ground.guardrails,
        minimal_detectable_effect=relay.ground.minimal_detectable_effect,
        rule=rule["experiment"],
        stop_rule=rule["stop"],
        interactions=rule["interactions"],
        days=relay.ground.comparison_days,
        segments=relay.ground.segments,
    )
    plan = plan_experiment(relay.workspace, relay.idea, request, actor="mio")
    smallest = f"{plan.minimal_detectable_effect:.0%}"
    relay.narrator.say(f"plan: {plan.units_needed:,} people, {plan.days} days to find {smallest}")
    shares = {"control": 0.5, "treatment": 0.5}
    start = StartRequest(
        request.experiment, "comparison", relay.ground.model, shares, relay.workspace.artifacts_location
    )
    relay.wait_for_midnight()
    start_experiment(relay.workspace, relay.idea, start, actor="mio")
    wait_for_health(address, "experiment", request.experiment)
    played = relay.ground.play("comparison", address)
    relay.clock.advance(days=played.days)
    stop_experiment(relay.workspace, relay.idea, request.experiment, actor="mio")
    wait_for_health(address, "experiment", None)
    with relay.narrator.working("mio compares the arms"):
        report = compare_experiment(relay.workspace, relay.idea, request.experiment, actor="mio")
    for one in report.results:
        relay.narrator.say(effect_in_words(one))
    relay.narrator.say(f"recommendation: {report.recommendation.decision}")
    relay.offer("mio", "haru", days=0.5)
    relay.take("haru", 2)
    return report
