import threading
from dataclasses import replace
from datetime import date

import pytest

from relay_play import DEBT, ROLES_OF, evidence_body
from tasuki.actions import relay
from tasuki.actions.checks import RUNNERS
from tasuki.actions.evidence import attach_evidence, read_evidence_file
from tasuki.actions.members import add_member, change_roles
from tasuki.actions.workspace import Workspace
from tasuki.cases.case import case_from_body
from tasuki.errors import Invalid, Missing, Refused, Stale, TasukiError
from tasuki.flow.fold import fold
from tasuki.flow.rights import receivers
from tasuki.flow.state import IdeaState

PASSING = {name: lambda workspace, state: [] for name in RUNNERS}


def prepare(workspace: Workspace, state: IdeaState) -> None:
    contract = workspace.playbook.contract(state.stage, state.next_stage())
    if state.stage == "hypothesis":
        relay.look_up_cases(workspace, state.idea, actor=state.holder, query="較正")
    if "rule_before_report" in contract.checks:
        relay.record_rule(workspace, state.idea, actor=state.holder, text="go when log loss falls")
    for requirement in contract.requirements:
        changes = {"reviewer": "kaito"} if requirement.kinds[0] == "readiness_note" else {}
        attach_evidence(workspace, state.idea, evidence_body(requirement.kinds[0], **changes), actor=state.holder)


def hand_over(workspace: Workspace, idea: str) -> IdeaState:
    state = workspace.ledger.state(idea)
    prepare(workspace, state)
    offered = relay.offer_handoff(workspace, idea, actor=state.holder, runners=PASSING).offer
    able = receivers(state, workspace.act(state.holder), offered.to_stage)
    who = next((name for name in able if name != state.holder), able[0])
    relay.pick_up_handoff(workspace, idea, actor=who)
    return relay.accept_handoff(workspace, idea, actor=who, answer="yes", estimate_days=2)


def events(workspace: Workspace) -> int:
    return len(workspace.ledger.feed(0, 10_000))


def test_an_idea_runs_from_hypothesis_to_a_filed_case(workspace, clock):
    idea = relay.open_idea(workspace, "較正 by segment", actor="aoi").idea
    for _ in range(8):
        clock.advance(days=1)
        state = hand_over(workspace, idea)
    assert state.status == "concluded"
    case = case_from_body(state.case)
    assert (case.decision, case.effect, case.lead_days) == ("ship", 0.01, 8.0)
    assert workspace.ledger.state(idea) == state == fold(workspace.ledger.events(idea))
    assert workspace.ledger.verify() == ()
    later = relay.open_idea(workspace, "another", actor="haru").idea
    found = relay.look_up_cases(workspace, later, actor="haru", query="較正").look_ups[-1]
    assert found.cases == (idea,)


def test_a_late_return_and_a_kill_leave_their_marks(workspace):
    idea = relay.open_idea(workspace, "x", actor="aoi").idea
    hand_over(workspace, idea)
    state = hand_over(workspace, idea)
    back = relay.return_handoff(
        workspace, idea, actor=state.holder, reason_code="data_problem", reason="rows lack", to_stage="investigation"
    )
    assert (back.stage, back.handoffs[-1].late) == ("investigation", True)
    killed = relay.kill_idea(workspace, idea, actor="aoi", reason="no data for it")
    assert case_from_body(killed.case).reason == "no data for it"
    reopened = relay.reopen_idea(workspace, idea, actor="haru", reason="data arrived")
    assert (reopened.case, reopened.holder) == (None, "haru")


def test_every_verb_with_the_same_key_does_its_thing_once(workspace):
    idea = relay.open_idea(workspace, "x", actor="aoi", key="open").idea
    assert relay.open_idea(workspace, "x", actor="aoi", key="open").idea == idea
    prepare(workspace, workspace.ledger.state(idea))
    verbs = [
        lambda: relay.comment(workspace, idea, actor="mio", text="good luck", key="say"),
        lambda: relay.skip_stage(workspace, idea, actor="aoi", stage="modeling", reason="known", key="skip"),
        lambda: relay.offer_handoff(workspace, idea, actor="aoi", key="offer"),
        lambda: relay.pick_up_handoff(workspace, idea, actor="haru", key="pick"),
        lambda: relay.accept_handoff(
            workspace, idea, actor="haru", answer="yes", estimate_days=1, debts=[DEBT], key="yes"
        ),
        lambda: relay.settle_debt(workspace, idea, actor="yui", number=1, key="settle"),
        lambda: relay.state_contribution(workspace, idea, actor="aoi", stage="hypothesis", text="it", key="did"),
        lambda: relay.confirm_contribution(
            workspace, idea, actor="haru", stage="hypothesis", member="aoi", key="did it"
        ),
        lambda: attach_evidence(workspace, idea, evidence_body("data_report"), actor="haru", key="attach"),
        lambda: relay.kill_idea(workspace, idea, actor="haru", reason="x", key="kill"),
        lambda: relay.file_case(workspace, idea, actor="haru", key="file"),
    ]
    for verb in verbs:
        first = verb()
        count = events(workspace)
        assert verb() == first
        assert events(workspace) == count
    for verb in verbs:
        verb()
    assert events(workspace) == count


def test_a_key_stands_for_one_request(workspace):
    idea = relay.open_idea(workspace, "x", actor="aoi", key="k").idea
    relay.comment(workspace, idea, actor="mio", text="a", key="c")
    count = events(workspace)
    for attempt in (
        lambda: relay.open_idea(workspace, "y", actor="aoi", key="k"),
        lambda: relay.comment(workspace, idea, actor="mio", text="b", key="c"),
        lambda: relay.comment(workspace, idea, actor="ren", text="a", key="c"),
        lambda: relay.kill_idea(workspace, idea, actor="aoi", reason="a", key="c"),
        lambda: add_member(workspace, "nao", actor="aoi", roles=["analyst"], key="c"),
    ):
        with pytest.raises(Refused, match="used for something else"):
            attempt()
    assert events(workspace) == count


def test_who_writes_on_an_old_reading_is_told_so_and_writes_nothing(workspace):
    idea = relay.open_idea(workspace, "x", actor="aoi").idea
    prepare(workspace, workspace.ledger.state(idea))

    def meanwhile(there: Workspace, state: IdeaState) -> list[str]:
        relay.comment(workspace, idea, actor="mio", text="I was faster")
        return []

    hand_over(workspace, idea)
    prepare(workspace, workspace.ledger.state(idea))
    with pytest.raises(Stale):
        relay.offer_handoff(workspace, idea, actor="haru", runners={**PASSING, "queries_rerun": meanwhile})
    state = workspace.ledger.state(idea)
    assert (state.offer, state.comments[-1].text) == (None, "I was faster")


def test_two_who_pick_up_at_once_one_gets_it(workspace):
    add_member(workspace, "nao", actor="aoi", roles=["analyst"])
    idea = relay.open_idea(workspace, "x", actor="aoi").idea
    prepare(workspace, workspace.ledger.state(idea))
    relay.offer_handoff(workspace, idea, actor="aoi")
    outcomes, barrier = [], threading.Barrier(2)

    def pick(name: str) -> None:
        barrier.wait()
        try:
            relay.pick_up_handoff(workspace, idea, actor=name)
            outcomes.append("got it")
        except TasukiError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=pick, args=(name,)) for name in ("haru", "nao")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("got it") == 1
    assert set(outcomes) <= {"got it", "Stale", "Refused"}


def test_a_refused_verb_changes_nothing(workspace):
    idea = relay.open_idea(workspace, "x", actor="aoi").idea
    count = events(workspace)
    for attempt in (
        lambda: relay.open_idea(workspace, "y", actor="ren"),
        lambda: relay.open_idea(workspace, "", actor="aoi", flow="waterfall"),
        lambda: relay.offer_handoff(workspace, idea, actor="aoi"),
        lambda: relay.pick_up_handoff(workspace, idea, actor="haru"),
        lambda: relay.accept_handoff(workspace, idea, actor="haru", answer="yes", estimate_days=1),
        lambda: relay.return_handoff(workspace, idea, actor="haru", reason_code="other", reason="x"),
        lambda: relay.skip_stage(workspace, idea, actor="aoi", stage="deployment", reason="x"),
        lambda: relay.kill_idea(workspace, idea, actor="zoe", reason="x"),
        lambda: relay.comment(workspace, "idea-99", actor="aoi", text="x"),
        lambda: relay.file_case(workspace, idea, actor="aoi"),
        lambda: attach_evidence(workspace, idea, evidence_body("model_card"), actor="ren"),
        lambda: add_member(workspace, "aoi", actor="aoi", roles=["analyst"]),
        lambda: change_roles(workspace, "haru", actor="aoi", roles=["wizard"]),
    ):
        with pytest.raises(TasukiError):
            attempt()
    assert events(workspace) == count


def test_evidence_with_five_faults_reports_all_five_and_is_not_written(workspace):
    idea = relay.open_idea(workspace, "x", actor="aoi").idea
    body = evidence_body("hypothesis_brief", prior_probability=3, expected_size="big", mood="good")
    del body["record"]["because"]
    body["at"] = "yesterday"
    with pytest.raises(Invalid) as caught:
        attach_evidence(workspace, idea, body, actor="aoi")
    assert {fault.where for fault in caught.value.faults} == {
        "at", "record.prior_probability", "record.expected_size", "record.mood", "record.because",
    }  # fmt: skip
    assert workspace.ledger.state(idea).evidence == ()


def test_attached_by_hand_evidence_is_by_the_member_now(workspace, clock):
    idea = relay.open_idea(workspace, "x", actor="aoi").idea
    record = evidence_body("hypothesis_brief")["record"]
    state = attach_evidence(workspace, idea, {"kind": "hypothesis_brief", "record": record}, actor="aoi")
    assert state.evidence[0].body["producer"] == "aoi"
    assert state.evidence[0].attached_at == clock()


@pytest.mark.parametrize(("content", "error"), [(None, Missing), ("{", Invalid), ("[1]", Invalid), (b"\xff", Invalid)])
def test_a_file_that_holds_no_evidence_is_an_error_with_its_name(tmp_path, content, error):
    path = tmp_path / "brief.json"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(error, match=r"brief\.json"):
        read_evidence_file(path)


def test_what_waits_is_the_same_from_the_ledger(workspace):
    idea = relay.open_idea(workspace, "x", actor="aoi").idea
    assert [(item.what, item.idea) for item in relay.my_work(workspace, actor="aoi")] == [("run", idea)]
    with pytest.raises(Missing, match="no member 'zoe'"):
        relay.my_work(workspace, actor="zoe")


def test_the_first_member_may_be_added_by_anybody_and_later_ones_by_members(tmp_path, clock):
    from tasuki.settings.workspace import init_workspace

    made = init_workspace(tmp_path / "new", clock=clock)
    add_member(made, "nao", actor="nao", roles=["analyst", "analyst"], key="k")
    assert add_member(made, "nao", actor="nao", roles=["analyst"], key="k").roles == ("analyst",)
    with pytest.raises(Missing, match="no member 'zoe'"):
        add_member(made, "zoe", actor="zoe", roles=["analyst"])
    assert change_roles(made, "nao", actor="nao", roles=["researcher"]).roles == ("researcher",)
    made.close()


def test_a_debt_with_a_date_that_has_passed_is_not_accepted(workspace):
    idea = relay.open_idea(workspace, "x", actor="aoi").idea
    prepare(workspace, workspace.ledger.state(idea))
    relay.offer_handoff(workspace, idea, actor="aoi")
    relay.pick_up_handoff(workspace, idea, actor="haru")
    with pytest.raises(Invalid, match="has passed"):
        relay.accept_handoff(
            workspace, idea, actor="haru", answer="yes", estimate_days=1, debts=[replace(DEBT, due=date(2020, 1, 1))]
        )


def test_every_member_of_the_usual_team_is_there(workspace):
    assert {name: one.roles for name, one in workspace.ledger.members().items()} == {
        name: (role,) for name, role in ROLES_OF.items()
    }
