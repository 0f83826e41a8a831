"""What was drawn of facts that do not change, kept for the next reader of the same language.

A story is told again whenever somebody looks at it, and most of it is old: evidence, decided hand-offs, rules. Each is
drawn once; what was not asked for longest is forgotten, so that memory stays bounded.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

from tasuki.flow.plan import Member
from tasuki.language import Formats, Language
from tasuki.web.board import Card
from tasuki.web.case_list import CaseLine
from tasuki.web.story import Entry, Exhibit

MOST_CHARACTERS = 8_000_000
MOST_OF_CASES = 10_000_000
"""Of the list of cases: some ten thousand."""
CHANGING = frozenset({"offer"})
"""Kinds of entry whose words change with time: an open offer says how long it waits."""


class Fragments:
    """Drawn pieces by what they show; bounded by their characters. Safe to use from several threads."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._most, self._held = most_characters, 0
        self._kept: OrderedDict[Hashable, Markup] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Markup | None:
        """What was kept under the key; None when nothing is."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: Hashable, drawn: Markup) -> None:
        """Keeps it, and forgets what was not asked for longest."""
        with self._lock:
            self._held += len(drawn) - len(self._kept.pop(key, ""))
            self._kept[key] = drawn
            while self._held > self._most:
                self._held -= len(self._kept.popitem(last=False)[1])

    def __len__(self) -> int:
        return self._held


def team_mark(members: Mapping[str, Member]) -> int:
    """Another number for another team: somebody joined, or is called differently."""
    return hash(tuple(members.values()))


@dataclass(frozen=True)
class Drawn:
    """The fragments of one idea for one reader, as its template asks for them.

    Args:
        fragments: Where they are kept.
        idea: Whose story.
        language: The reader's language.
        team: Stands for the team as it is: entries say what people are called.
    """

    fragments: Fragments
    idea: str
    language: Language
    team: int

    def get(self, entry: Entry) -> Markup | None:
        """How the entry was drawn before; None when it was not."""
        return None if entry.kind in CHANGING else self.fragments.get(self._key(entry))

    def keep(self, entry: Entry, drawn: Markup) -> Markup:
        """Keeps how the entry was drawn, and gives it back."""
        if entry.kind not in CHANGING:
            self.fragments.keep(self._key(entry), drawn)
        return drawn

    def _key(self, entry: Entry) -> Hashable:
        value = entry.value
        if isinstance(value, Exhibit):
            evidence = value.evidence
            value = (evidence.content_hash, evidence.sequence, evidence.attached_by, value.superseded)
        return (self.language, self.idea, entry.kind, entry.at, value, self.team)


@dataclass(frozen=True)
class DrawnCases:
    """The cases of the list for readers of one language, as its template asks for them.

    Args:
        fragments: Where they are kept.
        language: The reader's language.
        team: Stands for the team as it is: cases say what people are called.
    """

    fragments: Fragments
    language: Language
    team: int

    def get(self, case: CaseLine) -> Markup | None:
        """How the case was drawn before; None when it was not."""
        return self.fragments.get((self.language, self.team, case))

    def keep(self, case: CaseLine, drawn: Markup) -> Markup:
        """Keeps how the case was drawn, and gives it back."""
        self.fragments.keep((self.language, self.team, case), drawn)
        return drawn


@dataclass(frozen=True)
class DrawnCards:
    """The cards of the board for readers of one language, as its template asks for them.

    Args:
        fragments: Where they are kept.
        formats: How the reader's language writes spans of time.
        team: Stands for the team as it is: cards say what people are called.
    """

    fragments: Fragments
    formats: Formats
    team: int

    def get(self, card: Card) -> Markup | None:
        """How the card was drawn before; None when it was not."""
        return self.fragments.get(self._key(card))

    def keep(self, card: Card, drawn: Markup) -> Markup:
        """Keeps how the card was drawn, and gives it back."""
        self.fragments.keep(self._key(card), drawn)
        return drawn

    def _key(self, card: Card) -> Hashable:
        """What the card says: spans of time as they are written, which is the same for hours."""
        waiting, days = card.waiting, self.formats.days
        lasting = replace(card, age_days=0.0, waiting=None if waiting is None else replace(waiting, days=0.0))
        spans = (days(card.age_days), card.beyond_estimate, None if waiting is None else days(waiting.days))
        return (self.formats.language, self.team, lasting, spans)
