"""The form of a decision: its figures stand in the comparison already, its judgement does not."""

from dataclasses import replace

import pytest
from litestar.testing import TestClient

from tasuki.actions.workspace import Workspace
from tasuki.flow.state import IdeaState
from tasuki.web.drafts import draft_of


def undecided(told: Workspace) -> IdeaState:
    """The idea that went the whole way, before anybody had decided."""
    state = told.ledger.state("idea-1")
    return replace(state, evidence=tuple(one for one in state.evidence if one.kind != "decision"))


def test_a_decisions_figures_come_from_the_primary_metric_of_the_comparison(told: Workspace) -> None:
    draft = draft_of("decision", undecided(told))
    assert (draft["decision"], draft["recommended"], draft["metric"]) == ("ship", "ship", "install_rate")
    assert (draft["effect"], draft["effect_low"], draft["effect_high"]) == (0.031, 0.012, 0.05)
    assert draft["false_win_risk"] == 0.07
    assert draft["surprise"] == pytest.approx(0.7), "the hypothesis gave it 0.3"


def test_what_must_be_judged_is_left_to_the_person(told: Workspace) -> None:
    draft = draft_of("decision", undecided(told))
    assert not {"reason", "monitoring_owner", "clean_up"} & set(draft)


def test_without_a_comparison_or_for_another_kind_nothing_is_known(told: Workspace) -> None:
    state = undecided(told)
    bare = replace(state, evidence=tuple(one for one in state.evidence if one.kind != "comparison_report"))
    assert draft_of("decision", bare) == {}
    assert draft_of("learning", state) == {}


def test_a_form_without_a_draft_says_nothing_of_one(browse: TestClient) -> None:
    page = browse.get("/ideas/idea-8/attach/decision?lang=en").text
    assert "come from the newest comparison" not in page


def test_a_form_does_not_choose_what_a_person_must_decide(browse: TestClient) -> None:
    page = browse.get("/ideas/idea-8/attach/decision?lang=ja").text
    assert (
        '<select id="field-decision" name="decision" required><option value="" selected>選んでください</option>' in page
    )
    assert '<option value="ship" selected>' not in page
    brief = browse.get("/ideas/idea-7/attach/hypothesis_brief?lang=en").text
    assert 'name="direction" required><option value="" selected>Choose</option>' in brief


def test_a_recommendation_that_decides_nothing_leaves_the_decision_open(told: Workspace) -> None:
    state = undecided(told)
    compared = state.latest("comparison_report")
    said = {**compared.record["recommendation"], "decision": "cannot_tell"}
    body = {**compared.body, "record": {**compared.record, "recommendation": said}}
    others = tuple(one for one in state.evidence if one.kind != "comparison_report")
    draft = draft_of("decision", replace(state, evidence=(*others, replace(compared, body=body))))
    assert (draft["decision"], draft["recommended"]) == (None, "cannot_tell")


def test_a_decision_chooses_among_members_and_compared_metrics(browse: TestClient) -> None:
    page = browse.get("/ideas/idea-1/attach/decision?lang=en").text
    watcher = page.partition('name="monitoring_owner"')[2].partition("</select>")[0]
    assert watcher.startswith(" required")
    assert '<option value="aoi">' in watcher
    assert 'list="offered-metric"' in page
    assert '<option value="install_rate">' in page.partition("<datalist")[2]
    assert 'value="ship" selected>Ship<' in page.partition('name="recommended"')[2].partition("</select>")[0]
