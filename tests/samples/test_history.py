import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tasuki.cases.case import case_from_body
from tasuki.cases.search import search
from tasuki.flow.event import NewEvent, chained
from tasuki.flow.evidence import read_evidence
from tasuki.flow.fold import fold
from tasuki.flow.playbook import default_playbook
from tasuki.flow.relay import lacking_evidence
from tasuki.samples.history import HISTORY_DAYS, team_history
from tasuki.samples.team import MEMBERS
from tasuki.samples.topics import all_topics

END = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def past():
    return team_history(7, END)


def as_stream(idea: str, events: tuple[NewEvent, ...]):
    hashed = ""
    for number, event in enumerate(events, 1):
        chain = chained(idea, number, event, hashed)
        hashed = chain.hash
        yield chain


def test_every_idea_folds_to_the_state_it_was_told_with(past):
    for one in past:
        assert fold(as_stream(one.idea, one.events)) == one.state
        assert one.state.status in ("concluded", "killed")
        assert one.state.case is not None


def test_every_evidence_is_valid(past):
    count = 0
    for one in past:
        for entry in one.state.evidence:
            assert read_evidence(entry.body).content_hash == entry.content_hash
            count += 1
    assert count > 250


def test_events_of_an_idea_are_in_the_order_of_time_and_within_the_two_years(past):
    for one in past:
        moments = [event.at for event in one.events]
        assert moments == sorted(moments)
        assert moments[-1] < END
        assert moments[0] > END - timedelta(days=HISTORY_DAYS + 60)


def test_what_was_offered_last_met_its_contract(past):
    playbook = default_playbook()
    for one in past:
        for handoff in one.state.handoffs:
            contract = playbook.contract(handoff.from_stage, handoff.to_stage)
            assert lacking_evidence(one.state, contract) == []


def test_there_are_forty_ideas_of_every_flow_and_both_formations(past):
    assert len(past) == 40
    flows = Counter(one.state.flow for one in past)
    assert set(flows) == {"model", "minor_update", "analysis", "data"}
    assert min(flows.values()) >= 4
    assert {one.state.formation for one in past} == {"all_in_one", "planner_maker_evaluator"}


def test_a_fifth_of_the_comparisons_win(past):
    compared = [one for one in past if one.state.latest("comparison_report")]
    won = [one for one in compared if one.state.latest("decision").record["decision"] == "ship"]
    assert len(compared) >= 20
    assert 0.12 <= len(won) / len(compared) <= 0.22


def test_a_win_has_its_interval_on_the_good_side_and_a_miss_has_not_the_size_hoped_for(past):
    for one in past:
        if one.state.latest("comparison_report") is None:
            continue
        effect = one.state.latest("comparison_report").record["results"][0]
        good = 1 if one.topic.direction == "increase" else -1
        worst = min(good * effect["relative_low"], good * effect["relative_high"])
        assert (worst > 0) >= (one.topic.outcome == "ship")
        if one.topic.outcome == "do_not_ship":
            assert good * effect["relative"] < abs(one.topic.expected)


def test_offline_differences_predict_online_effects_only_loosely(past):
    pairs = []
    for one in past:
        report, compared = one.state.latest("offline_report"), one.state.latest("comparison_report")
        if report and compared:
            offline = next(row for row in report.record["metrics"] if row["name"] == "normalized_entropy")
            good = 1 if one.topic.direction == "increase" else -1
            pairs.append((-offline["difference"], good * compared.record["results"][0]["relative"]))
    rises = [online > 0 for offline, online in pairs if offline > 0]
    assert len(rises) >= 20
    assert 0.4 < sum(rises) / len(rises) < 0.9


def test_things_go_wrong_and_are_mended(past):
    outcomes = Counter(handoff.outcome for one in past for handoff in one.state.handoffs)
    late = [handoff for one in past for handoff in one.state.handoffs if handoff.late]
    assert outcomes["returned"] >= 6
    assert outcomes["accepted_with_debt"] >= 4
    assert len(late) >= 2
    assert all(handoff.reason for one in past for handoff in one.state.handoffs if handoff.outcome == "returned")
    assert any(one.state.skips for one in past)
    assert not any(one.state.open_debts() for one in past)
    killed = {one.state.stage for one in past if one.state.status == "killed"}
    assert {"investigation", "modeling", "offline_validation", "ab_check"} <= killed


def test_the_slot_for_comparisons_is_never_booked_twice_and_often_waited_for(past):
    slots, waits = [], []
    for one in past:
        booked_on = {event.body["name"]: event.at for event in one.events if event.kind == "experiment_booked"}
        for experiment in one.state.experiments:
            if experiment.kind == "comparison":
                slots.append((experiment.booked_from, experiment.booked_from + timedelta(experiment.booked_days)))
                waits.append((experiment.booked_from - booked_on[experiment.name].date()).days)
    slots.sort()
    assert all(one[1] <= other[0] for one, other in pairwise(slots))
    assert sum(wait > 3 for wait in waits) >= 5


def test_nobody_looks_at_a_comparison_before_its_end(past):
    for one in past:
        for experiment in one.state.experiments:
            for look in experiment.looks:
                assert look >= experiment.started_at + timedelta(days=experiment.booked_days)


def test_estimates_are_somewhat_too_small(past):
    ratios = [
        (leg.ended_at - leg.started_at).total_seconds() / 86_400 / leg.estimate_days
        for one in past
        for leg in one.state.legs
        if leg.ended_at and leg.estimate_days
    ]
    assert len(ratios) > 150
    assert 1.0 < sorted(ratios)[len(ratios) // 2] < 4.0


def test_everybody_had_a_leg(past):
    assert {leg.owner for one in past for leg in one.state.legs} == {member.name for member in MEMBERS}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("較正", "Calibrate CTR"),
        ("頻度", "フリークエンシー"),
        ("入札", "入札シェーディング"),
        ("latency", "Deep sequence"),
    ],
)
def test_cases_are_found_by_words_of_both_languages(past, query, found):
    cases = [case_from_body(one.state.case) for one in past]
    assert any(hit.case.title.startswith(found) for hit in search(cases, query)[:5])


def test_titles_are_in_both_languages_and_differ():
    topics = all_topics()
    languages = Counter(topic.language for topic in topics)
    assert languages["ja"] > 2 * languages["en"] > 10
    assert len({topic.title for topic in topics}) == len(topics)


def test_the_same_seed_and_end_tell_the_same_history(past):
    again = team_history(7, END)
    assert [one.events for one in again] == [one.events for one in past]
    assert [one.events for one in team_history(8, END)] != [one.events for one in past]


@pytest.mark.parametrize("seed", range(1, 6))
def test_any_seed_and_end_tell_a_legal_history(seed):
    started = time.perf_counter()
    end = datetime(2025, 12, 31, 15, 30, tzinfo=UTC) + timedelta(days=37 * seed)
    told = team_history(seed, end)
    assert time.perf_counter() - started < 10
    assert len(told) == 40
    assert max(one.state.ended_at for one in told) < end
