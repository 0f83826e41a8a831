from hypothesis import given, settings
from hypothesis import strategies as st

from relay_play import Stream
from tasuki.flow.times import hand_off_days, lead_days, stage_times

HOURS = st.floats(min_value=0.0, max_value=500.0)


@settings(max_examples=60, deadline=None)
@given(work=HOURS, wait=HOURS, judge=HOURS, mend=HOURS, wait_again=HOURS, judge_again=HOURS)
def test_the_days_of_a_stage_add_up_as_they_passed(work, wait, judge, mend, wait_again, judge_again):
    stream = Stream()
    stream.prepare()
    stream.clock.advance(hours=work)
    stream.offer()
    stream.clock.advance(hours=wait)
    stream.pick_up("haru")
    stream.clock.advance(hours=judge)
    stream.give_back("haru")
    stream.clock.advance(hours=mend)
    stream.offer()
    stream.clock.advance(hours=wait_again)
    stream.pick_up("haru")
    stream.clock.advance(hours=judge_again)
    first = stage_times(stream.state, stream.clock())[0]
    state = stream.accept("haru")
    stream.clock.advance(days=3)
    times = stage_times(state, stream.clock())
    assert times[0] == first or abs(times[0].total_days - first.total_days) < 1e-9
    assert abs(times[0].touch_days * 24 - (work + mend)) < 1e-4
    assert abs(times[0].wait_days * 24 - (wait + wait_again)) < 1e-4
    assert abs(times[0].judge_days * 24 - (judge + judge_again)) < 1e-4
    assert (times[0].returns, times[0].legs) == (1, 1)
    assert abs(times[1].touch_days - 3) < 1e-9
    assert times[1].estimate_days == 3
    assert abs(sum(one.total_days for one in times) - lead_days(state, stream.clock())) < 1e-4
    assert abs(hand_off_days(state.handoffs[0]) * 24 - (wait + judge)) < 1e-4


def test_a_late_return_counts_for_the_stage_that_made_the_fault_and_adds_no_waiting():
    stream = Stream()
    stream.hand_over_until("ab_check")
    before = {one.stage: one for one in stage_times(stream.state, stream.clock())}
    stream.give_back(stream.state.holder, "implementation")
    stream.clock.advance(days=2)
    after = {one.stage: one for one in stage_times(stream.state, stream.clock())}
    assert after["implementation"].returns == before["implementation"].returns + 1
    assert after["implementation"].legs == 2
    assert after["implementation"].wait_days == before["implementation"].wait_days
    assert abs(after["implementation"].touch_days - before["implementation"].touch_days - 2) < 1e-9
    assert after["implementation"].estimate_days is None


def test_an_ended_idea_stops_the_clock():
    stream = Stream("analysis")
    for _ in range(3):
        stream.hand_over()
    then = lead_days(stream.state, stream.clock())
    stream.clock.advance(days=100)
    assert lead_days(stream.state, stream.clock()) == then == 4.5
