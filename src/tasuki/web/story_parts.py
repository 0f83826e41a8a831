"""A long story in parts: each has an address that stays, and says of every chapter what of it stands in other parts.

Parts are counted from the oldest, fifty entries each, so that a part that was filled once stays as it is while the
story goes on. The newest part is shown when none is asked for; it takes over the entries that are too few for a part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tasuki.web.story import Chapter, Entry, Story

SHOWN = 50
FEWEST = 25
"""So many entries are worth a part of their own."""


@dataclass(frozen=True)
class Elsewhere:
    """The entries of a chapter that stand in another part: how many, and of which kinds the evidence is."""

    part: int
    count: int
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class ShownChapter:
    """A chapter with its entries in this part, and what stands in the parts before and after it."""

    chapter: Chapter
    entries: tuple[Entry, ...]
    before: tuple[Elsewhere, ...]
    after: tuple[Elsewhere, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened in it yet."""
        return not self.chapter.entries


@dataclass(frozen=True)
class StoryPart:
    """A part of a story, from 1, and how many there are. Every chapter is in it, with its entries or without."""

    number: int
    parts: int
    chapters: tuple[ShownChapter, ...]


def part_of(story: Story, asked: int | None = None) -> StoryPart:
    """A part of the story; the newest one when none is asked for, or one that there is not."""
    total = sum(len(chapter.entries) for chapter in story.chapters)
    parts = max(1, (total + SHOWN - FEWEST) // SHOWN)
    number = asked if asked is not None and 1 <= asked <= parts else parts
    return StoryPart(number, parts, tuple(_shown(chapter, number, parts) for chapter in story.chapters))


def part_with(story: Story, content_hash: str) -> int | None:
    """The part in which this evidence stands; None when the story has none of this hash."""
    parts = part_of(story).parts
    for chapter in story.chapters:
        for entry in chapter.entries:
            if entry.kind == "evidence" and entry.value.evidence.content_hash == content_hash:
                return _part(entry, parts)
    return None


def _part(entry: Entry, parts: int) -> int:
    return min(entry.number // SHOWN + 1, parts)


def _shown(chapter: Chapter, number: int, parts: int) -> ShownChapter:
    by_part: dict[int, list[Entry]] = {}
    for entry in chapter.entries:
        by_part.setdefault(_part(entry, parts), []).append(entry)
    others = [_elsewhere(part, by_part[part]) for part in sorted(by_part) if part != number]
    return ShownChapter(
        chapter,
        tuple(by_part.get(number, ())),
        tuple(one for one in others if one.part < number),
        tuple(one for one in others if one.part > number),
    )


def _elsewhere(part: int, entries: Sequence[Entry]) -> Elsewhere:
    kinds = dict.fromkeys(one.value.evidence.kind for one in entries if one.kind == "evidence")
    return Elsewhere(part, len(entries), tuple(kinds))
