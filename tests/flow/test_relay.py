from datetime import date

import pytest

from relay_play import DEBT, PASSED, TEAM, Stream
from tasuki.errors import Invalid, Missing, Refused
from tasuki.flow import decide, relay
from tasuki.flow.plan import CASE, REASON_CODES, Member
from tasuki.flow.relay import Acceptance, NewDebt, OfferTerms, ReturnReason


def offered(**options) -> Stream:
    stream = Stream(**options)
    stream.prepare()
    stream.offer()
    return stream


def test_only_the_one_with_the_sash_offers():
    stream = Stream()
    stream.prepare()
    with pytest.raises(Refused, match="haru may not offer it") as caught:
        stream.offer("haru")
    assert "aoi" in caught.value.expected
    assert "sash" in caught.value.rule


def test_an_offer_is_for_someone_who_may_receive_it():
    stream = Stream()
    stream.prepare()
    with pytest.raises(Refused, match="ren may not receive investigation") as caught:
        stream.offer(to_member="ren")
    assert "analyst" in caught.value.rule
    assert "haru" in caught.value.expected
    with pytest.raises(Missing, match="no member 'zoe'"):
        stream.offer(to_member="zoe")


def test_an_offer_that_nobody_could_receive_is_refused():
    stream = Stream(members={"aoi": TEAM["aoi"]})
    stream.hand_over()
    stream.prepare()
    with pytest.raises(Refused, match="nobody could receive modeling") as caught:
        stream.offer()
    assert "data_scientist" in caught.value.rule


def test_an_offer_may_be_made_anew_until_it_is_picked_up():
    stream = offered()
    stream.offer(to_member="haru")
    assert stream.state.offer.to_member == "haru"
    stream.pick_up("haru")
    with pytest.raises(Refused, match="haru has picked up"):
        stream.offer()


def test_an_offer_carries_the_evidence_of_its_contract():
    stream = offered()
    brief = stream.state.latest("hypothesis_brief")
    assert stream.state.offer.evidence == (brief.content_hash,)


def test_an_offer_to_one_member_is_received_by_that_member():
    members = {**TEAM, "nao": Member("nao", ("analyst",))}
    stream = Stream(members=members)
    stream.prepare()
    stream.offer(to_member="haru")
    with pytest.raises(Refused, match="offered to haru, not to nao"):
        stream.pick_up("nao")


def test_nobody_receives_their_own_offer_while_somebody_else_could():
    stream = offered()
    with pytest.raises(Refused, match="may not receive it too") as caught:
        stream.pick_up("aoi")
    assert "haru" in caught.value.expected


def test_the_only_analyst_goes_on_alone_between_stages_of_the_same_role():
    stream = Stream(members={name: one for name, one in TEAM.items() if name != "haru"})
    stream.prepare()
    stream.offer()
    stream.pick_up("aoi")
    assert stream.accept("aoi").stage == "investigation"


def test_one_with_two_roles_still_needs_a_second_person_where_the_roles_change():
    stream = Stream(members={"aoi": Member("aoi", ("analyst", "data_scientist"))})
    stream.hand_over()
    stream.prepare()
    stream.offer()
    with pytest.raises(Refused, match="may not receive it too"):
        stream.pick_up("aoi")


def test_in_a_one_person_formation_one_person_carries_it_all_the_way():
    stream = Stream(formation="all_in_one")
    for _ in range(8):
        stream.prepare()
        stream.offer()
        stream.pick_up("aoi")
        stream.accept("aoi")
    assert stream.state.status == "concluded"


def test_what_is_not_picked_up_is_neither_accepted_nor_returned():
    stream = offered()
    with pytest.raises(Refused, match="nobody has picked up"):
        stream.accept("haru")
    with pytest.raises(Refused, match="nobody has picked up"):
        stream.give_back("haru")


def test_only_the_one_who_picked_it_up_decides():
    stream = Stream(members={**TEAM, "nao": Member("nao", ("analyst",))})
    stream.prepare()
    stream.offer()
    stream.pick_up("haru")
    for decision in (stream.accept, stream.give_back, stream.pick_up):
        with pytest.raises(Refused, match=r"haru has (already )?picked up"):
            decision("nao")


def test_accepting_needs_an_answer_an_estimate_and_whole_debts_all_said_at_once():
    stream = offered()
    stream.pick_up("haru")
    debts = (NewDebt(" ", "zoe", date(2026, 3, 31)),)
    with pytest.raises(Invalid) as caught:
        relay.accept(stream.state, stream.act("haru"), Acceptance("  ", None, debts))
    assert [fault.where for fault in caught.value.faults] == ["answer", "estimate", "debt 1", "debt 1", "debt 1"]
    assert "Could this be false" in caught.value.faults[0].expected


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf")])
def test_an_estimate_is_a_number_of_days(days):
    stream = offered()
    stream.pick_up("haru")
    with pytest.raises(Invalid, match="no number of days"):
        relay.accept(stream.state, stream.act("haru"), Acceptance("yes", days))


def test_an_accepted_debt_is_open_until_it_is_settled():
    stream = offered()
    stream.pick_up("haru")
    state = stream.accept("haru", DEBT, DEBT)
    assert state.handoffs[-1].outcome == "accepted_with_debt"
    assert [debt.number for debt in state.open_debts()] == [1, 2]
    with pytest.raises(Refused, match="mio may not settle it"):
        decide.settle_debt(state, stream.act("mio"), 1, "")
    state = stream.write(decide.settle_debt(state, stream.act("yui"), 1, "alarm is up"))
    assert [debt.number for debt in state.open_debts()] == [2]
    with pytest.raises(Missing, match="no open debt 1"):
        decide.settle_debt(state, stream.act("yui"), 1, "")


def test_the_estimate_given_at_acceptance_is_kept_in_the_leg():
    stream = offered()
    stream.pick_up("haru")
    assert stream.accept("haru", estimate=4.5).legs[-1].estimate_days == 4.5


@pytest.mark.parametrize("code", REASON_CODES)
def test_a_return_gives_the_sash_back_with_its_reason(code):
    stream = offered()
    stream.pick_up("haru")
    state = stream.give_back("haru", code=code)
    assert (state.stage, state.holder, state.offer) == ("hypothesis", "aoi", None)
    assert (state.handoffs[-1].outcome, state.handoffs[-1].reason_code) == ("returned", code)
    assert len(state.legs) == 1


def test_a_return_needs_a_known_code_and_a_reason():
    stream = offered()
    stream.pick_up("haru")
    with pytest.raises(Invalid) as caught:
        relay.give_back(stream.state, stream.act("haru"), ReturnReason("bad_work", " "))
    assert [fault.where for fault in caught.value.faults] == ["reason code", "reason"]


def test_the_ideas_owner_may_return_what_somebody_else_offered():
    stream = Stream()
    stream.hand_over_until("modeling")
    stream.prepare()
    stream.offer()
    assert stream.give_back("aoi").offer is None


def test_a_fault_found_late_sends_the_idea_back_to_whom_it_came_from():
    stream = Stream()
    stream.hand_over_until("ab_check")
    builder = next(leg.owner for leg in stream.state.legs if leg.stage == "implementation")
    state = stream.give_back(stream.state.holder, "implementation", "missing_evidence")
    assert (state.stage, state.holder) == ("implementation", builder)
    returned = state.handoffs[-1]
    assert (returned.from_stage, returned.to_stage, returned.late) == ("implementation", "ab_check", True)
    assert [leg.stage for leg in state.legs if leg.ended_at is None] == ["implementation"]
    stream.hand_over()
    assert stream.state.stage == "ab_check"


def test_an_idea_goes_back_only_to_a_stage_it_has_run_before():
    stream = Stream()
    stream.hand_over_until("modeling")
    for stage in ("modeling", "implementation", "nowhere"):
        with pytest.raises(Invalid) as caught:
            stream.give_back(stream.state.holder, stage)
        assert caught.value.faults[0].expected == "hypothesis, investigation"


def test_what_is_on_offer_is_not_sent_back_further():
    stream = Stream()
    stream.hand_over_until("modeling")
    stream.prepare()
    stream.offer()
    with pytest.raises(Refused, match="is offered to offline_validation"):
        stream.give_back(stream.state.holder, "hypothesis")


def test_nothing_can_be_returned_that_is_not_offered():
    stream = Stream()
    with pytest.raises(Refused, match="nothing of idea-1 is offered") as caught:
        stream.give_back("haru")
    assert "--to-stage" in caught.value.next_step


def test_only_the_owner_concludes_an_idea():
    stream = Stream()
    stream.hand_over_until("evaluation")
    stream.prepare()
    state = stream.offer()
    assert (state.offer.to_stage, state.offer.to_member) == (CASE, "aoi")
    with pytest.raises(Refused, match="may not conclude it") as caught:
        stream.pick_up("ren")
    assert "aoi" in caught.value.expected
    stream.pick_up("aoi")
    assert stream.accept("aoi", estimate=None).status == "concluded"


def test_nothing_moves_after_the_end():
    stream = Stream()
    stream.write(decide.kill_idea(stream.state, stream.act("aoi"), "no data"))
    state, act = stream.state, stream.act("aoi")
    for attempt in (
        lambda: relay.offer(state, act, OfferTerms(results=PASSED)),
        lambda: relay.pick_up(state, act),
        lambda: relay.give_back(state, act, ReturnReason("other", "x")),
        lambda: decide.skip_stage(state, act, "modeling", "x"),
        lambda: decide.kill_idea(state, act, "x"),
        lambda: decide.attach_evidence(state, act, {}, "h", None),
        lambda: decide.record_rule(state, act, "x"),
    ):
        with pytest.raises(Refused, match="is killed") as caught:
            attempt()
        assert "reopen" in caught.value.next_step
