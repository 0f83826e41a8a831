"""Role × stage × formation × verb, against the formations' own files read in another way."""

import tomllib
from dataclasses import replace

import pytest

from relay_play import ROLES_OF, TEAM, Stream
from tasuki.errors import Missing, Refused
from tasuki.flow import decide, experimenting, relay
from tasuki.flow.decide import NewIdea
from tasuki.flow.plan import ROLES, Member
from tasuki.flow.playbook import default_playbook, default_texts
from tasuki.flow.state import Offer

TEXTS = default_texts()
FORMATIONS = tomllib.loads(TEXTS["formations.toml"])["formation"]
FLOWS = tomllib.loads(TEXTS["flows.toml"])["flow"]
MATRIX = [
    (formation, flow, stage, role)
    for formation in FORMATIONS
    for flow, entry in FLOWS.items()
    for stage in entry["stages"]
    for role in ROLES
]
PEOPLE = {**TEAM, "outsider": Member("outsider", ())}


def owned(formation: str, flow: str, stage: str) -> list[str]:
    entry = FORMATIONS[formation]
    return entry.get("in_flow", {}).get(flow, {}).get(stage) or entry["owners"][stage]


def in_stage(formation: str, flow: str, stage: str, role: str) -> tuple[Stream, str]:
    """An idea in that stage, held and owned by others, and a member with that one role only."""
    stream = Stream("model", "all_in_one", members=PEOPLE)
    stream.members["newcomer"] = Member("newcomer", (role,))
    state = replace(stream.state, flow=flow, formation=formation, stages=tuple(FLOWS[flow]["stages"]), stage=stage)
    stream._state = replace(state, holder="outsider", owner="outsider")
    return stream, "newcomer"


def refused(what) -> Refused | None:
    try:
        what()
    except Refused as refusal:
        return refusal
    return None


@pytest.mark.parametrize(("formation", "flow", "stage", "role"), MATRIX)
def test_a_member_may_do_what_role_and_formation_allow_and_no_more(formation, flow, stage, role):
    stream, name = in_stage(formation, flow, stage, role)
    state, act = stream.state, stream.act(name)
    offered = Offer("before", stage, "outsider", stream.clock(), None, "", ())
    at_offer = replace(state, offer=offered)
    killed = replace(state, status="killed", ended_at=stream.clock())
    verbs = {
        "attach": lambda: decide.attach_evidence(state, act, {}, "hash", None),
        "rule": lambda: decide.record_rule(state, act, "go when better"),
        "start": lambda: experimenting.start_experiment(state, act, "e", "check"),
        "reopen": lambda: decide.reopen_idea(killed, act, "new data"),
        "pick up": lambda: relay.pick_up(at_offer, act),
        "accept": lambda: relay.accept(
            replace(at_offer, offer=replace(offered, picked_up_by=name)), act, relay.Acceptance("yes", 1)
        ),
    }
    if stage == FLOWS[flow]["stages"][0]:
        verbs["open"] = lambda: decide.open_idea(NewIdea("x", flow, formation), act)
    allowed = role in owned(formation, flow, stage)
    for verb, attempt in verbs.items():
        refusal = refused(attempt)
        assert (refusal is None) == allowed, verb
        if refusal is not None:
            assert formation in refusal.rule
            assert stage in refusal.rule
            able = [one for one, its in ROLES_OF.items() if its in owned(formation, flow, stage)]
            assert all(one in refusal.expected for one in able)
            assert "newcomer" not in refusal.expected


@pytest.mark.parametrize(("formation", "flow", "stage", "role"), MATRIX)
def test_only_those_who_lead_an_idea_end_it_or_skip_a_stage(formation, flow, stage, role):
    stream, name = in_stage(formation, flow, stage, role)
    state, act = stream.state, stream.act(name)
    for attempt in (
        lambda: decide.kill_idea(state, act, "why not"),
        lambda: relay.give_back(replace(state, handoffs=()), act, relay.ReturnReason("other", "x")),
        lambda: relay.offer(state, act, relay.OfferTerms()),
    ):
        refusal = refused(attempt)
        assert refusal is not None
        assert refusal.next_step


def test_every_stage_has_somebody_in_a_usual_team_in_every_formation():
    for formation in FORMATIONS:
        for flow, entry in FLOWS.items():
            for stage in entry["stages"]:
                assert set(owned(formation, flow, stage)) & set(ROLES_OF.values()), (formation, flow, stage)


def test_a_member_nobody_knows_is_missing_and_the_next_step_adds_them():
    stream = Stream()
    with pytest.raises(Missing, match="no member 'zoe'") as caught:
        decide.comment(stream.act("zoe"), "hello")
    assert "tasuki account add zoe" in caught.value.next_step


def test_the_built_in_formations_agree_with_the_reader():
    for name, formation in default_playbook().formations.items():
        for flow, entry in FLOWS.items():
            for stage in entry["stages"]:
                assert list(formation.roles_for(flow, stage)) == owned(name, flow, stage)
