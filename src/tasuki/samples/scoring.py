"""Asking for scores: what a bidder asks, what comes back, and a scorer that answers within the process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tasuki.samples.exchange import SLOTS, SYSTEMS, Opportunities, World, app_names, user_names


class Question(Protocol):
    """Rows to score: who each is about, and the features by name. The world asks `Request`s, a replay its log."""

    def __len__(self) -> int: ...

    def units(self) -> list[str]:
        """Whom each row is about: the unit that experiments randomise."""
        ...

    def columns(self) -> Mapping[str, Sequence[object]]:
        """The features of every row, as JSON values."""
        ...

    def split(self, size: int) -> Sequence["Question"]:
        """The same in pieces of at most `size` rows."""
        ...


@dataclass(frozen=True, eq=False)
class Request:
    """Opportunities to score."""

    world: World
    opportunities: Opportunities

    def __len__(self) -> int:
        return len(self.opportunities)

    def units(self) -> list[str]:
        """The people's names: the unit that experiments randomise."""
        names: list[str] = _names(self.world)[self.opportunities.user].tolist()
        return names

    def columns(self) -> dict[str, list[str] | list[float]]:
        """The features under the names of the training log: `at`, `app`, `slot`, `os`, `minutes_since_last`."""
        asked, start = self.opportunities, np.datetime64(self.world.start.replace(tzinfo=None), "ms")
        at = start + np.rint(asked.seconds * 1_000).astype("timedelta64[ms]")
        return {
            "at": np.datetime_as_string(at, unit="ms", timezone="UTC").tolist(),
            "app": app_names(self.world)[asked.app].tolist(),
            "slot": np.array(SLOTS)[asked.slot].tolist(),
            "os": np.array(SYSTEMS)[asked.system].tolist(),
            "minutes_since_last": asked.minutes_since_last.tolist(),
        }

    def split(self, size: int) -> list["Request"]:
        """The same in pieces of at most `size` rows."""
        rows = np.arange(len(self))
        pieces = (rows[start : start + size] for start in range(0, len(self), size))
        return [Request(self.world, self.opportunities.take(piece)) for piece in pieces]


@dataclass(frozen=True, eq=False)
class Answers:
    """What came back, row by row. `fallbacks` marks answers that did not come from the arm's own model."""

    exposures: list[str]
    arms: NDArray[np.str_]
    scores: NDArray[np.float64]
    fallbacks: NDArray[np.bool_]


class Scorer(Protocol):
    """Whoever answers requests: the inference service behind HTTP, or policies within the process."""

    def score(self, request: Request) -> Answers:
        """Assigns every row an arm and a score."""
        ...


Policy = Callable[[Request], NDArray[np.float64]]
"""Gives the rows of a request their scores."""

Assign = Callable[[list[str]], NDArray[np.str_]]
"""Gives people their arms."""


class LocalScorer:
    """Scores with policies in this process: for tests, benchmarks and the truth.

    Args:
        policies: The policy of each arm.
        assign: Who is in which arm; everybody in the only one by default.
    """

    def __init__(self, policies: Mapping[str, Policy], assign: Assign | None = None) -> None:
        self._policies, self._assign = dict(policies), assign
        self._answered = 0

    def score(self, request: Request) -> Answers:
        """Assigns every row an arm and the score of the arm's policy."""
        only = next(iter(self._policies))
        arms = np.full(len(request), only) if self._assign is None else self._assign(request.units())
        scores = np.zeros(len(request))
        for arm, policy in self._policies.items():
            rows = arms == arm
            if rows.any():
                scores = np.where(rows, policy(request), scores)
        first, self._answered = self._answered, self._answered + len(request)
        return Answers(
            exposures=[f"local-{number}" for number in range(first, self._answered)],
            arms=arms,
            scores=scores,
            fallbacks=np.zeros(len(request), dtype=bool),
        )


@lru_cache(maxsize=4)
def _names(world: World) -> NDArray[np.str_]:
    return user_names(np.arange(world.users, dtype=np.int32))
