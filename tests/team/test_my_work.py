from relay_play import DEBT, Stream
from tasuki.team.work import my_work


def waits(stream: Stream, name: str) -> list[tuple[str, str]]:
    return [(item.what, item.stage) for item in my_work([stream.state], stream.act(name))]


def test_what_waits_follows_the_sash():
    stream = Stream()
    stream.prepare()
    assert waits(stream, "aoi") == [("run", "hypothesis")]
    assert waits(stream, "haru") == []
    stream.offer()
    assert waits(stream, "aoi") == [("wait", "investigation")]
    assert waits(stream, "haru") == [("pick_up", "investigation")]
    assert waits(stream, "ren") == []
    stream.pick_up("haru")
    assert waits(stream, "haru") == [("judge", "investigation")]
    stream.accept("haru", DEBT)
    assert waits(stream, "haru") == [("run", "investigation")]
    assert waits(stream, "aoi") == []
    assert waits(stream, "yui") == [("settle", "investigation")]


def test_each_thing_that_waits_says_since_when_and_what_to_type():
    stream = Stream()
    stream.prepare()
    stream.clock.advance(days=2)
    stream.offer()
    item = my_work([stream.state], stream.act("haru"))[0]
    assert (item.since, item.note) == (stream.clock(), "please")
    assert item.next_step == "tasuki handoff pick-up idea-1"


def test_judging_comes_before_picking_up_and_the_oldest_first():
    streams = []
    for _ in range(3):
        stream = Stream()
        stream.prepare()
        stream.clock.advance(days=len(streams))
        stream.offer()
        streams.append(stream)
    streams[2].pick_up("haru")
    items = my_work([streams[1].state, streams[2].state, streams[0].state], streams[0].act("haru"))
    assert [item.what for item in items] == ["judge", "pick_up", "pick_up"]
    assert items[1].since < items[2].since


def test_the_owner_is_asked_to_conclude():
    stream = Stream()
    stream.hand_over_until("evaluation")
    stream.prepare()
    stream.offer()
    assert ("pick_up", "case") in waits(stream, "aoi")
