"""The streams that are open: so many at the most, and all of them end when the server does."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

PER_MEMBER, AT_ONCE = 12, 100
"""Each stream asks the ledger every second: some for every member's tabs and programs, and a bound on all."""


class TooManyStreams(Exception):
    """No more may be opened before one has ended."""


class Streams:
    """Counts the streams of one process and tells them to end. Used from the event loop only."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self.are_ending = False

    def require_room(self, member: str) -> None:
        """Raises `TooManyStreams` when the member, or everybody together, has enough."""
        if self._open[member] >= PER_MEMBER or self._open.total() >= AT_ONCE:
            raise TooManyStreams

    @contextmanager
    def opened(self, member: str) -> Iterator[None]:
        """Counts one while it is open."""
        self._open[member] += 1
        try:
            yield
        finally:
            self._open[member] -= 1

    def end(self) -> None:
        """Every stream ends within a moment: a server that waits for its last answer would wait for ever."""
        self.are_ending = True

    def __len__(self) -> int:
        return self._open.total()
