"""Which experiments there are, as the shelf knows them: found, filtered and sorted without reading an idea."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Literal

from tasuki.errors import Refused, said
from tasuki.flow.state import Experiment, IdeaState
from tasuki.store.shelf import Shelf

Standing = Literal["current", "over"]


@dataclass(frozen=True)
class Line:
    """An experiment as the shelf knows it.

    Args:
        state: The outline of its idea.
        experiment: What the ledger says of it.
        standing: `current` while it is booked or runs, `over` once it was stopped or its idea ended before.
        order: What sorts it among those of its standing, the newest first.
        text: What a search looks into.
    """

    state: IdeaState
    experiment: Experiment
    standing: Standing
    order: tuple[float, str]
    text: str

    @property
    def key(self) -> str:
        """Its idea and its name, which together are its own."""
        return f"{self.state.idea}/{self.experiment.name}"


@dataclass(frozen=True)
class Wanted:
    """Which experiments are asked for; empty parts ask for all.

    Args:
        standing: `current` or `over`.
        kind: `check` or `comparison`.
        text: A part of the experiment's name, the idea's name or its title.
    """

    standing: str = ""
    kind: str = ""
    text: str = ""

    def of(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Those of the lines that are asked for."""
        kept = iter(lines)
        if self.standing:
            kept = (one for one in kept if one.standing == self.standing)
        if self.kind:
            kept = (one for one in kept if one.experiment.kind == self.kind)
        if text := self.text.casefold():
            kept = (one for one in kept if text in one.text)
        return kept


EVERY = Wanted()


def found_lines(shelf: Shelf, wanted: Wanted = EVERY) -> Sequence[Line]:
    """The experiments that are asked for: those that run or are booked, then those that are over, the newest first."""
    lines = [*_merged(shelf, _current), *_merged(shelf, _over)]
    return lines if wanted == EVERY else tuple(wanted.of(lines))


def _merged(shelf: Shelf, standing: "Callable[[tuple[IdeaState, ...]], _Sorted]") -> list[Line]:
    """Both piles' lines in one order: the few of active ideas are put between the many of those that ended."""
    few, many = shelf.active.whole(standing), shelf.ended.whole(standing)
    lines, taken = list[Line](), 0
    for line in few.lines:
        place = bisect_right(many.orders, line.order)
        lines += many.lines[taken:place]
        lines.append(line)
        taken = place
    return lines + list(many.lines[taken:])


def lines_named(shelf: Shelf, experiment: str) -> tuple[Line, ...]:
    """The experiments of this name: one, unless two ideas booked it."""
    return tuple(line for pile in (shelf.active, shelf.ended) for line in pile.whole(_by_name).get(experiment, ()))


def require_own_name(shelf: Shelf, state: IdeaState, experiment: str) -> None:
    """Refuses a name that another idea has given to an experiment, unless this idea has one of that name as well.

    Raises:
        Refused: With the idea that has it.
    """
    if any(one.name == experiment for one in state.experiments):
        return
    other = next((line.state for line in lines_named(shelf, experiment) if line.state.idea != state.idea), None)
    if other is not None:
        raise Refused(
            said("{idea} has an experiment {run} already", idea=other.idea, run=experiment),
            rule="exposures are told apart by the experiment's name, so no two ideas share one",
            next_step="choose another name",
        )


def lines_in_order(shelf: Shelf, wanted: Wanted = EVERY) -> Iterator[Line]:
    """The experiments that are asked for, in the order in which their ideas were opened: it never changes."""
    known = (shelf.active.whole(_by_idea), shelf.ended.whole(_by_idea))
    for idea in shelf.ideas:
        for lines in known:
            yield from wanted.of(lines.get(idea, ()))


def current_lines(shelf: Shelf) -> tuple[Line, ...]:
    """The experiments that run or are booked."""
    return (*shelf.active.whole(_current).lines, *shelf.ended.whole(_current).lines)


def lines_since(shelf: Shelf, first: date) -> Iterator[Line]:
    """The experiments that run or are booked, and those that were over on this day or later."""
    for pile in (shelf.active, shelf.ended):
        yield from pile.whole(_current).lines
        over = pile.whole(_over)
        yield from over.lines[: bisect_right(over.orders, (-_midnight(first).timestamp(), "\U0010ffff"))]


def _lines(states: tuple[IdeaState, ...]) -> Iterator[Line]:
    for state in states:
        for one in state.experiments:
            waits = one.started_at is None and one.booked_from is not None and state.status == "active"
            runs = one.started_at is not None and one.stopped_at is None
            text = f"{one.name}\n{state.idea}\n{state.title}".casefold()
            order = (-_moment(state, one).timestamp(), one.name)
            yield Line(state, one, "current" if waits or runs else "over", order, text)


def _moment(state: IdeaState, one: Experiment) -> datetime:
    """What sorts it: when it was stopped or started, the beginning of its booked day, or when it was given back."""
    booked = None if one.booked_from is None else _midnight(one.booked_from)
    freed = one.given_back[-1].at if one.given_back else None
    return one.stopped_at or one.started_at or booked or freed or state.opened_at


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass(frozen=True)
class _Sorted:
    lines: tuple[Line, ...]
    orders: tuple[tuple[float, str], ...]


def _current(states: tuple[IdeaState, ...]) -> _Sorted:
    return _sorted(states, "current")


def _over(states: tuple[IdeaState, ...]) -> _Sorted:
    return _sorted(states, "over")


def _sorted(states: tuple[IdeaState, ...], standing: Standing) -> _Sorted:
    lines = sorted((one for one in _lines(states) if one.standing == standing), key=attrgetter("order"))
    return _Sorted(tuple(lines), tuple(line.order for line in lines))


def _by_idea(states: tuple[IdeaState, ...]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in _lines(states):
        found.setdefault(line.state.idea, []).append(line)
    return found


def _by_name(states: tuple[IdeaState, ...]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in _lines(states):
        found.setdefault(line.experiment.name, []).append(line)
    return found
