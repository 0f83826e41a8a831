"""Ideas that are still on their way when the story ends, so that the board shows a team at work."""

from tasuki.actions.evidence import attach_evidence
from tasuki.actions.relay import look_up_cases, offer_handoff, open_idea
from tasuki.demo.relay import Relay
from tasuki.flow.evidence import evidence_of
from tasuki.flow.records import HypothesisBrief


def open_other_ideas(relay: Relay) -> None:
    """Opens the other ideas of the texts; those with a brief and a receiver are offered and wait to be picked up."""
    for told in relay.texts["others"]:
        relay.clock.advance(days=1.5)
        idea = open_idea(relay.workspace, told["title"], actor=told["by"], flow=told["flow"], estimate_days=3).idea
        if "brief" in told:
            found = look_up_cases(relay.workspace, idea, actor=told["by"], query="CVR").look_ups[-1].cases
            brief = HypothesisBrief(**{**told["brief"], "similar_cases": found[:3]})
            relay.clock.advance(hours=5)
            evidence = evidence_of(brief, told["by"], relay.clock())
            attach_evidence(relay.workspace, idea, evidence, actor=told["by"])
            offer_handoff(relay.workspace, idea, actor=told["by"], to_member=told["to"])
    relay.narrator.say(f"{len(relay.texts['others'])} other ideas are on their way")
