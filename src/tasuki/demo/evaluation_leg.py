"""The last leg: a person decides, the learning is written down, and the case is filed."""

from datetime import timedelta
from typing import Literal

from tasuki.actions.models import publish_model
from tasuki.actions.relay import accept_handoff, offer_handoff, pick_up_handoff, settle_debt, state_contribution
from tasuki.demo.relay import Relay
from tasuki.flow.records import ComparisonReport, Decision, Effect, Learning


def effect_in_words(effect: Effect) -> str:
    """One line of an A/B result: the relative effect with its interval, or the absolute one where that is all."""
    name = effect.metric if effect.segment is None else f"{effect.metric} ({effect.segment})"
    if effect.relative is None:
        return f"{name}: {_signed(effect.effect)} [{_signed(effect.effect_low)}, {_signed(effect.effect_high)}]"
    span = f"[{_percent(effect.relative_low)}, {_percent(effect.relative_high)}]"
    return f"{name}: {_percent(effect.relative)} {span}, p = {effect.p_value or 0:.2g}"


def _percent(value: float | None) -> str:
    return "?" if value is None else f"{value:+.1%}"


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{value:+.4g}"


def run_evaluation(relay: Relay, report: ComparisonReport, challenger: str) -> None:
    """The analyst decides on the registered rule's recommendation; the owner files the case."""
    relay.narrator.chapter("8 · Evaluation and case (haru, analyst; aoi, owner)")
    relay.clock.advance(days=1)
    primary = next(one for one in report.results if one.metric == relay.ground.primary and not one.segment)
    ships = report.recommendation.decision == "ship"
    relay.attach(_decision(relay, report, primary, ships), by="haru")
    relay.attach(_learning(relay, primary), by="haru")
    if ships:
        publish_model(relay.workspace, relay.ground.model, challenger, channel="champion", actor="sota")
        relay.narrator.say(f"sota makes {challenger[:12]} the champion")
    debt = relay.workspace.ledger.state(relay.idea).open_debts()
    if debt:
        settle_debt(relay.workspace, relay.idea, actor="sota", number=debt[0].number)
        relay.narrator.say("sota settles the debt")
    for stage, member in (("modeling", "ren"), ("implementation", "sota"), ("evaluation", "haru")):
        text = relay.texts["contributions"][stage]
        state_contribution(relay.workspace, relay.idea, actor=member, stage=stage, text=text)
    offer_handoff(relay.workspace, relay.idea, actor="haru", to_member="aoi")
    relay.clock.advance(days=0.3)
    pick_up_handoff(relay.workspace, relay.idea, actor="aoi")
    answer = relay.texts["answers"]["evaluation"]
    accept_handoff(relay.workspace, relay.idea, actor="aoi", answer=answer)
    relay.narrator.say(f"aoi accepts and files the case: {answer}")


def _decision(relay: Relay, report: ComparisonReport, primary: Effect, ships: bool) -> Decision:
    prior = float(relay.ground.question.brief["prior_probability"])
    chosen: Literal["ship", "do_not_ship"] = "ship" if ships else "do_not_ship"
    return Decision(
        decision=chosen,
        reason=relay.texts["case"]["reason_ship" if ships else "reason_not"],
        recommended=report.recommendation.decision,
        metric=primary.metric,
        effect=primary.relative,
        effect_low=primary.relative_low,
        effect_high=primary.relative_high,
        false_win_risk=report.recommendation.false_win_risk,
        surprise=1 - prior if ships else prior,
        monitoring_owner="sota",
        clean_up=relay.texts["case"]["clean_up"],
        clean_up_done=False,
        clean_up_due=(relay.clock() + timedelta(days=14)).date(),
    )


def _learning(relay: Relay, primary: Effect) -> Learning:
    said = relay.texts["case"]
    effect = said["learning_effect"].format(
        metric=primary.metric,
        effect=_percent(primary.relative),
        low=_percent(primary.relative_low),
        high=_percent(primary.relative_high),
        expected=_percent(relay.ground.question.brief["expected_size"]),
    )
    return Learning(
        learnings=(effect, said["learning_check"]),
        search_words=tuple(said["search_words"]),
        next_ideas=(said["next_idea"],),
        contributions=dict(relay.texts["contributions"]),
    )
