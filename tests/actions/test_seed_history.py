from datetime import UTC, datetime

import pytest

from tasuki.actions.history import seed_history
from tasuki.actions.relay import cases, look_up_cases, open_idea
from tasuki.clock import MovableClock
from tasuki.errors import Refused
from tasuki.settings.workspace import init_workspace

END = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path):
    opened = init_workspace(tmp_path / "work", clock=MovableClock(END))
    yield opened
    opened.close()


def test_a_history_fills_the_ledger_with_a_team_and_its_cases(workspace):
    ideas = seed_history(workspace, 7, END)
    assert len(ideas) == len(set(ideas)) == 40
    assert len(cases(workspace)) == 40
    assert len(workspace.ledger.members()) == 7
    assert workspace.ledger.verify() == ()


def test_a_second_time_changes_nothing(workspace):
    first = seed_history(workspace, 7, END)
    before = workspace.ledger.size()
    assert seed_history(workspace, 7, END) == first
    assert workspace.ledger.size() == before


def test_another_history_in_the_same_ledger_is_refused(workspace):
    seed_history(workspace, 7, END)
    before = workspace.ledger.size()
    with pytest.raises(Refused, match="past-01"):
        seed_history(workspace, 8, END)
    assert workspace.ledger.size() == before


def test_work_goes_on_beside_the_history(workspace):
    seed_history(workspace, 7, END)
    state = open_idea(workspace, "リーセンシーを加える", actor="aoi")
    assert not state.idea.startswith("past-")
    found = look_up_cases(workspace, state.idea, actor="aoi", query="リーセンシー").look_ups[-1].cases
    assert len(found) >= 2


def test_a_team_that_is_there_already_keeps_its_roles(workspace):
    from tasuki.actions.members import add_member

    add_member(workspace, "aoi", actor="aoi", roles=("researcher",))
    seed_history(workspace, 7, END)
    assert workspace.ledger.members()["aoi"].roles == ("researcher",)
    assert len(workspace.ledger.members()) == 7
