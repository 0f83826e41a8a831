import json

import pytest

from relay_play import DEBT, Stream
from tasuki.cases.case import Case, case_from_body, case_of, case_to_body
from tasuki.cases.markdown import to_markdown
from tasuki.flow import decide


def concluded() -> Stream:
    stream = Stream()
    stream.prepare()
    stream.offer()
    stream.pick_up()
    stream.accept(None, DEBT)
    while stream.state.status == "active":
        stream.hand_over()
    return stream


def test_a_case_is_filled_from_the_ledger():
    case = case_of(concluded().state)
    assert (case.decision, case.metric, case.effect, case.surprise) == ("ship", "ctr", 0.01, 0.7)
    assert case.because == "new apps are over-predicted"
    assert case.search_words == ("較正", "calibration")
    assert case.stages[0].stage == "hypothesis"
    assert len(case.stages) == 8
    assert {one.kind for one in case.evidence} >= {"decision", "comparison_report", "model_card"}
    assert case.open_debts == ("alarm on fallbacks (yui, 2026-12-01)",)


def test_most_of_a_case_needs_no_typing():
    case = case_to_body(case_of(concluded().state))
    asked = {"learnings", "search_words", "next_ideas", "surprise", "reason"}
    filled = [name for name, value in case.items() if value not in (None, "", (), [])]
    assert len([name for name in filled if name not in asked]) / len(case) >= 0.7


def test_a_case_survives_json():
    case = case_of(concluded().state)
    assert case_from_body(json.loads(json.dumps(case_to_body(case)))) == case


def test_a_case_of_a_newer_version_is_still_read():
    body = json.loads(json.dumps(case_to_body(case_of(concluded().state))))
    body["mood"] = "good"
    del body["flow"], body["next_ideas"]
    body["flow"] = "model"
    assert case_from_body(body).next_ideas == ()


def test_a_killed_idea_leaves_a_case_with_its_reason():
    stream = Stream()
    stream.attach("hypothesis_brief")
    state = stream.write(decide.kill_idea(stream.state, stream.act("aoi"), "the gap is noise"))
    case = case_of(state)
    assert (case.decision, case.reason, case.metric, case.effect) == ("killed", "the gap is noise", "ctr", None)


def test_an_idea_that_goes_on_has_no_case():
    with pytest.raises(ValueError, match="has not ended"):
        case_of(Stream().state)


def test_markdown_begins_with_front_matter_that_yaml_and_json_read_alike():
    text = to_markdown(case_of(concluded().state))
    _, front, body = text.split("---\n", 2)
    values = {name: json.loads(value) for name, value in (line.split(": ", 1) for line in front.splitlines())}
    assert values["title"] == "較正 by segment"
    assert values["effect"] == 0.01
    assert values["search_words"] == ["較正", "calibration"]
    for heading in ("# 較正 by segment", "## Hypothesis", "## Result", "## Learnings", "## Evidence", "## Still owed"):
        assert heading in body


def test_a_title_with_quotes_and_line_breaks_breaks_no_front_matter():
    case = Case("idea-1", 'a "b"\n---\n: c', "model", "2026", "2026", "drop", "x", learnings=("one\n- two",))
    front = to_markdown(case).split("\n---\n")[0].splitlines()[1:]
    assert all(json.loads(line.split(": ", 1)[1]) is not ... for line in front)
    assert "- one - two" in to_markdown(case)
