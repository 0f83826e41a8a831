"""Two years of a team: forty ideas from hypothesis to case, told through the flow's own rules.

Every event was decided by `tasuki.flow.relay` or `tasuki.flow.decide` on the state before it, so a history is as legal
as anything that people write. Pure: nothing is stored here; `tasuki.actions.history` does.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from tasuki.cases.case import case_of, case_to_body
from tasuki.cases.search import search
from tasuki.flow import decide
from tasuki.flow.event import NewEvent
from tasuki.flow.playbook import default_playbook
from tasuki.flow.state import IdeaState
from tasuki.samples.legs import run_idea
from tasuki.samples.story import Calendar, Story, Team
from tasuki.samples.team import MEMBERS
from tasuki.samples.topics import Topic, all_topics

HISTORY_DAYS = 730
_LONGEST_DAYS = 90
_STREAM = 3


@dataclass(frozen=True)
class PastIdea:
    """A concluded or killed idea of the history, and everything that was written about it."""

    idea: str
    topic: Topic
    events: tuple[NewEvent, ...]
    state: IdeaState


def team_history(seed: int, end: datetime) -> tuple[PastIdea, ...]:
    """The ideas that the sample team has concluded in the two years before a moment, in the order they were opened.

    Args:
        seed: The same seed and end give the same history.
        end: Nothing of it happened later. UTC.
    """
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
    topics = _in_order(order)
    team = Team(default_playbook(), {member.name: member for member in MEMBERS})
    gap = (HISTORY_DAYS - _LONGEST_DAYS) / len(topics)
    calendar, past = Calendar(), list[PastIdea]()
    for number, topic in enumerate(topics):
        days_before = HISTORY_DAYS - gap * (number + float(order.uniform(0.0, 0.8)))
        told, calendar = _tell(_Assignment(number, topic, seed, end, days_before), team, calendar, past)
        past.append(told)
    return tuple(past)


@dataclass(frozen=True)
class _Assignment:
    """Which idea is to be told, and about when it was opened."""

    number: int
    topic: Topic
    seed: int
    end: datetime
    days_before: float

    @property
    def idea(self) -> str:
        return f"past-{self.number + 1:02d}"


def _in_order(rng: np.random.Generator) -> list[Topic]:
    """All topics in an order of their own; those of the old formation, in which everyone did everything, first."""
    topics = all_topics()
    drawn = [topics[int(place)] for place in rng.permutation(len(topics))]
    return sorted(drawn, key=lambda topic: topic.formation != "all_in_one")


def _tell(wanted: _Assignment, team: Team, calendar: Calendar, past: list[PastIdea]) -> tuple[PastIdea, Calendar]:
    """Tells an idea; one that would not be over in time is told again, opened earlier."""
    while True:
        start = wanted.end - timedelta(days=wanted.days_before)
        rng = np.random.default_rng(np.random.SeedSequence(wanted.seed, spawn_key=(_STREAM, wanted.number)))
        story, slots = Story(wanted.idea, team, rng, start), calendar.copy()
        run_idea(story, wanted.topic, slots, _similar(wanted.topic, past, start))
        late_days = (story.now - wanted.end) / timedelta(days=1)
        if late_days < -1:
            _file_case(story)
            return PastIdea(wanted.idea, wanted.topic, tuple(story.events), story.state), slots
        wanted = replace(wanted, days_before=wanted.days_before + late_days + 7)


def _similar(topic: Topic, past: list[PastIdea], now: datetime) -> tuple[str, tuple[str, ...]]:
    """The words somebody would look up, and the cases that were there to be found."""
    over = [case_of(one.state) for one in past if one.state.ended_at is not None and one.state.ended_at < now]
    hits = search(over, topic.words[0])
    return topic.words[0], tuple(hit.case.idea for hit in hits[:3])


def _file_case(story: Story) -> None:
    last = story.state.holder
    story.write(decide.file_case(story.state, story.act(last), case_to_body(case_of(story.state))))
