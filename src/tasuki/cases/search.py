"""Search over cases that finds two-character Japanese words as well as English ones, without a dictionary.

Text is normalised (NFKC, lower case) and cut into overlapping pairs of characters for scripts without spaces, and into
words for the others. A case is found when it holds every word of the query; what stands in title and search words
counts more than what stands elsewhere.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

from tasuki.cases.case import Case

LEAST_IN_COMMON = 0.15
"""A case that shares less of a text (weighted by how telling each piece is) is not called similar."""
_WORD = re.compile(r"[a-z0-9_]+|[^\W\da-z_]+")
_WEIGHTS = (("title", 4.0), ("search_words", 4.0), ("change", 2.0), ("learnings", 2.0))


@dataclass(frozen=True)
class Hit:
    """A case that was found, and how well it fits (more is better; comparable within one search only)."""

    case: Case
    score: float


@dataclass(frozen=True)
class Prepared:
    """A case with its texts in the form in which they are compared: made once, searched often.

    Args:
        case: The case.
        everything: All that is searched of it.
        weighted: The texts in which a word counts more, and how much.
    """

    case: Case
    everything: str
    weighted: tuple[tuple[float, str], ...]


def prepare(case: Case) -> Prepared:
    """The case, ready to be searched."""
    values = ((weight, getattr(case, name)) for name, weight in _WEIGHTS)
    texts = ((weight, value if isinstance(value, str) else "\n".join(value)) for weight, value in values)
    return Prepared(case, normalised(_all_text(case)), tuple((weight, normalised(text)) for weight, text in texts))


def normalised(text: str) -> str:
    """The form in which texts are compared: full and half width, upper and lower case become one."""
    return unicodedata.normalize("NFKC", text).lower()


def terms_of(text: str) -> tuple[str, ...]:
    """The pieces that are looked for: whole Latin words, and overlapping pairs of other letters."""
    pieces: list[str] = []
    for word in _WORD.findall(normalised(text)):
        pieces += [word] if word[0].isascii() or len(word) < 3 else [word[n : n + 2] for n in range(len(word) - 1)]
    return tuple(pieces)


def search(cases: Iterable[Case], query: str, limit: int = 20) -> tuple[Hit, ...]:
    """The cases that hold every piece of the query, best first; none for a query without letters.

    Args:
        cases: Where to look.
        query: Words in Japanese, English or both.
        limit: At most so many hits.
    """
    return search_prepared(map(prepare, cases), query, limit)


def search_prepared(cases: Iterable[Prepared], query: str, limit: int = 20) -> tuple[Hit, ...]:
    """What `search` finds, in cases that were prepared before."""
    wanted = tuple(dict.fromkeys(terms_of(query)))
    if not wanted:
        return ()
    holding = (one for one in cases if _holds(one, wanted))
    hits = (Hit(one.case, _score(one, wanted)) for one in holding)
    found = sorted(hits, key=lambda hit: hit.case.ended_at, reverse=True)
    return tuple(sorted(found, key=lambda hit: -hit.score)[:limit])


def similar(cases: Iterable[Case], text: str, limit: int = 5) -> tuple[Hit, ...]:
    """The cases that have most in common with a text, best first: for somebody who writes, not for one who searches.

    Args:
        cases: Where to look.
        text: A hypothesis as it is being written.
        limit: At most so many; those with little in common are left out.

    A piece counts the more the fewer cases hold it (inverse document frequency).
    """
    return similar_prepared([prepare(case) for case in cases], text, limit)


def similar_prepared(known: Sequence[Prepared], text: str, limit: int = 5) -> tuple[Hit, ...]:
    """What `similar` finds, in cases that were prepared before."""
    wanted = set(terms_of(text))
    texts = [one.everything for one in known]
    weights = {
        piece: log(len(known) / found) + 0.1 for piece in wanted if (found := sum(piece in one for one in texts))
    }
    everything = sum(weights.values())
    if not everything:
        return ()
    hits = [
        Hit(one.case, sum(weight for piece, weight in weights.items() if piece in one.everything) / everything)
        for one in known
    ]
    close = [hit for hit in hits if hit.score >= LEAST_IN_COMMON]
    return tuple(sorted(close, key=lambda hit: (-hit.score, hit.case.idea))[:limit])


def _holds(prepared: Prepared, wanted: tuple[str, ...]) -> bool:
    everything = prepared.everything
    for piece in wanted:  # a plain loop: this runs for every case of every search  # noqa: SIM110
        if piece not in everything:
            return False
    return True


def _score(prepared: Prepared, wanted: tuple[str, ...]) -> float:
    return len(wanted) + sum(weight * sum(piece in text for piece in wanted) for weight, text in prepared.weighted)


def _all_text(case: Case) -> str:
    texts = [case.idea, case.title, case.change, case.because, case.population, case.metric, case.reason, case.decision]
    return "\n".join([*texts, *case.learnings, *case.search_words, *case.next_ideas])
