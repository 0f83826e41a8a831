from dataclasses import replace

import pytest

from relay_play import PASSED, RECORDS, Stream
from tasuki.errors import Refused
from tasuki.flow import relay
from tasuki.flow.checks import CHECKS
from tasuki.flow.evidence import read_evidence
from tasuki.flow.plan import CASE
from tasuki.flow.playbook import default_playbook
from tasuki.flow.records import EVIDENCE_TYPES

PLAYBOOK = default_playbook()
MODEL = PLAYBOOK.flows["model"].stages
EIGHT = list(zip(MODEL, (*MODEL[1:], CASE), strict=True))


def at(stage: str) -> Stream:
    stream = Stream()
    stream.hand_over_until(stage)
    return stream


def refusal_of(stream: Stream, results=PASSED) -> Refused:
    with pytest.raises(Refused) as caught:
        relay.offer(stream.state, stream.act(stream.state.holder), relay.OfferTerms(results=results))
    return caught.value


def test_the_samples_cover_every_kind_and_are_valid():
    assert set(RECORDS) == set(EVIDENCE_TYPES)
    stream = Stream()
    for kind in RECORDS:
        stream.attach(kind)
        assert read_evidence(stream.state.evidence[-1].body).content_hash == stream.state.evidence[-1].content_hash


@pytest.mark.parametrize(("start", "end"), EIGHT)
def test_an_offer_without_anything_names_everything_and_how_to_produce_it(start, end):
    stream = at(start)
    contract = PLAYBOOK.contract(start, end)
    refusal = refusal_of(stream)
    named = {fault.where for fault in refusal.faults}
    kinds = {requirement.kinds[0] for requirement in contract.requirements}
    assert kinds <= named
    assert {f"check {name}" for name in contract.checks if set(CHECKS[name].needs) & kinds} <= named
    assert all(fault.how for fault in refusal.faults)
    assert not any("{idea}" in fault.how for fault in refusal.faults)
    assert f"{start} → {end}" in refusal.rule


@pytest.mark.parametrize(("start", "end"), EIGHT)
def test_each_missing_piece_of_evidence_is_named_alone(start, end):
    for absent in (requirement.kinds[0] for requirement in PLAYBOOK.contract(start, end).requirements):
        stream = at(start)
        stream.prepare(leave_out=absent)
        missing = [fault.where for fault in refusal_of(stream).faults if fault.what == "missing"]
        assert missing == [absent]


@pytest.mark.parametrize(("start", "end"), EIGHT)
def test_every_running_check_of_a_contract_must_have_run_and_passed(start, end):
    running = [name for name in PLAYBOOK.contract(start, end).checks if name in PASSED]
    stream = at(start)
    stream.prepare()
    if running:
        assert [fault.where for fault in refusal_of(stream, {}).faults] == [f"check {name}" for name in running]
    stream.offer()


@pytest.mark.parametrize(("start", "end"), EIGHT)
def test_a_contract_asks_one_question_in_both_languages(start, end):
    question = PLAYBOOK.contracts[start, end].question
    assert question.en.endswith("?") or "?" in question.en
    assert any("\u3040" <= letter <= "\u30ff" for letter in question.ja)


def test_fields_that_are_empty_are_named_each():
    stream = at("investigation")
    stream.attach("opportunity_estimate")
    stream.attach("data_report")
    *others, report = stream.state.evidence
    body = {**report.body, "code_commit": None, "record": {**report.record, "sources": [], "leakage_notes": ""}}
    state = replace(stream.state, evidence=(*others, replace(report, body=body)))
    faults = relay.lacking_evidence(state, PLAYBOOK.contract("investigation", "modeling"))
    assert [(fault.where, fault.what) for fault in faults] == [
        ("data_report.sources", "empty"),
        ("data_report.leakage_notes", "empty"),
        ("data_report.code_commit", "empty"),
    ]


def test_a_hand_off_without_a_contract_takes_the_one_that_leaves_the_same_stage():
    taken = PLAYBOOK.contract("investigation", "evaluation")
    own = PLAYBOOK.contracts["investigation", "modeling"]
    assert (taken.requirements, taken.checks) == (own.requirements, own.checks)
    assert (taken.from_stage, taken.to_stage) == ("investigation", "evaluation")


def test_a_last_stage_without_a_contract_still_ends_with_a_decision():
    taken = PLAYBOOK.contract("ab_comparison", CASE)
    assert [requirement.kinds for requirement in taken.requirements] == [("decision",), ("learning",)]


def test_a_stage_that_no_contract_knows_asks_the_question_alone():
    taken = PLAYBOOK.contract("tea_break", "modeling")
    assert (taken.requirements, taken.checks) == ((), ())
    assert taken.question.ja
