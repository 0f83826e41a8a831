"""A long story is told in parts: nothing is lost between them, and a part that was full once stays as it is."""

import contextlib
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, START, brief, link, tell_board

from tasuki.flow.event import NewEvent
from tasuki.flow.evidence import evidence_of, to_body
from tasuki.flow.state import Comment, EvidenceEntry, HandOff, IdeaState, Leg, Offer
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app
from tasuki.web.story import Entry, Story, build_story
from tasuki.web.story_parts import FEWEST, SHOWN, StoryPart, part_of, part_with

STAGES = ("hypothesis", "investigation", "evaluation")


def told(hours: list[int], legs: int = 2, offered: bool = False) -> IdeaState:
    """An idea of so many legs, with something said at each hour, every seventh time with evidence."""
    opened = NOW - timedelta(days=60)
    starts = [opened + timedelta(hours=100 * n) for n in range(legs)]
    said = [(n, opened + timedelta(hours=hour)) for n, hour in enumerate(sorted(hours))]
    return IdeaState(
        "idea-1", "title", "model", "all_in_one", STAGES, "aoi", opened, "active", STAGES[legs - 1], "aoi",
        legs=tuple(Leg(STAGES[n], "aoi", start, None) for n, start in enumerate(starts)),
        comments=tuple(Comment("ren", at, f"said {n}") for n, at in said if n % 7),
        evidence=tuple(
            EvidenceEntry(n, f"{n:064}", "external_link", STAGES[0], "ren", at, {}) for n, at in said if not n % 7
        ),
        handoffs=tuple(
            HandOff(STAGES[n], STAGES[n + 1], "aoi", start, start, "accepted", "ren", start)
            for n, start in enumerate(starts[1:])
        ),
        offer=Offer(STAGES[legs - 1], "case", "aoi", opened + timedelta(hours=50), None, "", ()) if offered else None,
    )  # fmt: skip


def story_of(state: IdeaState) -> Story:
    return build_story(state, NOW)


def all_parts(story: Story) -> list[StoryPart]:
    return [part_of(story, number) for number in range(1, part_of(story).parts + 1)]


def entries_of(part: StoryPart) -> list[Entry]:
    return [entry for chapter in part.chapters for entry in chapter.entries]


stories = st.builds(
    told, st.lists(st.integers(0, 400), max_size=400), st.integers(1, 3), st.booleans()
)  # sizes of none, one and several parts


@given(stories)
def test_the_parts_together_are_the_story_and_share_nothing(state: IdeaState) -> None:
    story = story_of(state)
    whole = [id(entry) for chapter in story.chapters for entry in chapter.entries]
    parts = [id(entry) for part in all_parts(story) for entry in entries_of(part)]
    assert sorted(parts) == sorted(whole)


@given(stories)
def test_every_part_is_small_and_the_newest_is_shown_first(state: IdeaState) -> None:
    story = story_of(state)
    *older, newest = all_parts(story)
    assert all(len(entries_of(part)) == SHOWN for part in older)
    assert len(entries_of(newest)) < SHOWN + FEWEST
    assert part_of(story) == newest
    assert not older or len(entries_of(newest)) >= FEWEST


@given(stories)
def test_a_part_says_of_every_chapter_what_stands_elsewhere(state: IdeaState) -> None:
    story = story_of(state)
    for part in all_parts(story):
        for shown, chapter in zip(part.chapters, story.chapters, strict=True):
            others = [*shown.before, *shown.after]
            assert len(shown.entries) + sum(one.count for one in others) == len(chapter.entries)
            assert [one.part for one in others] == sorted({one.part for one in others} - {part.number})
            for other in others:
                there = part_of(story, other.part).chapters[part.chapters.index(shown)]
                assert len(there.entries) == other.count


@given(stories, st.lists(st.integers(401, 900), max_size=120))
def test_what_is_written_later_moves_nothing_of_a_full_part(state: IdeaState, later: list[int]) -> None:
    longer = replace(
        state,
        comments=(
            *state.comments,
            *(Comment("mio", state.opened_at + timedelta(hours=h), "later") for h in sorted(later)),
        ),
    )
    before, after = all_parts(story_of(state)), all_parts(story_of(longer))
    for old, new in zip(before[:-1], after, strict=False):
        assert [(e.at, e.value) for e in entries_of(old)] == [(e.at, e.value) for e in entries_of(new)]


def test_an_offer_stands_in_the_newest_part_until_it_is_decided() -> None:
    state = told(list(range(300)), offered=True)
    assert "offer" in [entry.kind for entry in entries_of(part_of(story_of(state)))]
    without = story_of(replace(state, offer=None))
    for old, new in zip(all_parts(story_of(state))[:-1], all_parts(without), strict=False):
        assert entries_of(old) == entries_of(new)


def test_evidence_is_found_in_its_part() -> None:
    story = story_of(told(list(range(300))))
    for part in all_parts(story):
        for entry in entries_of(part):
            if entry.kind == "evidence":
                assert part_with(story, entry.value.evidence.content_hash) == part.number
    assert part_with(story, "unknown") is None


@pytest.fixture
def long_idea(tmp_path: Path):
    """Pages with an idea of some hundred comments, with evidence at its beginning, and its ledger."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: NOW)
    tell_board(ledger)
    opened = {"title": "長い話", "flow": "model", "formation": "planner_maker_evaluator", "stages": list(STAGES)}
    told = [NewEvent("idea_opened", "aoi", START, opened)]
    for number, record in enumerate((brief(), link())):
        evidence = evidence_of(record, "tests", START)
        body = {"stage": STAGES[0], "content_hash": f"{number:064}", "evidence": to_body(evidence)}
        told.append(NewEvent("evidence_attached", "aoi", START + timedelta(minutes=number + 1), body))
    told += [said(n) for n in range(180)]
    ledger.append("idea-99", 0, told)
    workspace = workspace_of(ledger, tmp_path)
    with (
        contextlib.closing(workspace),
        TestClient(create_app(workspace), base_url="http://127.0.0.1", raise_server_exceptions=False) as client,
    ):
        yield client, ledger


def said(number: int, at: datetime = START) -> NewEvent:
    return NewEvent("comment_added", "ren", at + timedelta(hours=1, minutes=number), {"text": f"発言 {number:03}。"})


def texts_on(client: TestClient, address: str) -> list[str]:
    return re.findall(r"発言 (\d{3})。", client.get(address).text)


def walk(client: TestClient, address: str, rel: str) -> list[str]:
    """The addresses of the parts, following the links as a reader does."""
    walked = [address]
    while found := re.search(rf'<a rel="{rel}" href="([^"]+)"', client.get(walked[-1]).text):
        walked.append(found[1])
    return walked


def test_a_reader_comes_from_the_newest_part_to_the_first_and_back(long_idea) -> None:
    client, _ = long_idea
    back = walk(client, "/ideas/idea-99", "prev")
    assert [len(texts_on(client, one)) for one in back] == [32, 50, 50, 48]
    assert sorted(text for one in back for text in texts_on(client, one)) == [f"{n:03}" for n in range(180)]
    forth = walk(client, back[-1], "next")
    assert [texts_on(client, one) for one in forth] == [texts_on(client, one) for one in reversed(back)]


def test_evidence_of_an_older_part_has_an_address_and_is_named_in_every_part(long_idea) -> None:
    client, _ = long_idea
    newest = client.get("/ideas/idea-99?lang=en").text
    assert "On page 1 of the story: 50" in newest
    assert "通知の直後" not in newest
    found = client.get(f"/ideas/idea-99?evidence={0:064}&lang=en").text
    assert "通知の直後" in found
    assert f'id="{0:012}"' in found


@pytest.mark.parametrize("part", ["0", "5", "-1", "x", "9" * 40, "²", ""])
def test_a_part_that_is_not_there_is_the_newest(long_idea, part: str) -> None:
    client, _ = long_idea
    assert texts_on(client, f"/ideas/idea-99?part={part}") == texts_on(client, "/ideas/idea-99")


def test_parts_stay_while_somebody_writes(long_idea) -> None:
    client, ledger = long_idea
    before = [texts_on(client, f"/ideas/idea-99?part={n}") for n in (1, 2, 3)]
    for number in range(180, 220):
        ledger.append("idea-99", ledger.length("idea-99"), [said(number)])
        assert f"{number:03}" in texts_on(client, "/ideas/idea-99")
    assert [texts_on(client, f"/ideas/idea-99?part={n}") for n in (1, 2, 3)] == before


def test_a_member_who_is_called_differently_is_called_so_in_what_was_drawn_before(long_idea) -> None:
    client, ledger = long_idea
    assert "葵" in client.get("/ideas/idea-99?part=1&lang=ja").text
    renamed = NewEvent("member_changed", "aoi", NOW, {"name": "aoi", "display_name": "あおい"})
    ledger.append("team", ledger.length("team"), [renamed])
    page = client.get("/ideas/idea-99?part=1&lang=ja").text
    assert "葵" not in page
    assert page.count("あおい") > 1
    assert ">Hypothesis<" in client.get("/ideas/idea-99?part=1&lang=en").text
    assert ">Hypothesis<" not in client.get("/ideas/idea-99?part=1&lang=ja").text
