"""What a person at the terminal sees while the relay runs: chapters, what was done, what was refused and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console

from tasuki.errors import TasukiError


class Narrator:
    """Tells the story on stderr, so that stdout stays free for the summary."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._began = monotonic()

    def chapter(self, title: str) -> None:
        """A new leg of the relay begins."""
        self._console.print(f"\n[bold]{title}[/bold] [dim]({monotonic() - self._began:.0f} s)[/dim]")

    def say(self, text: str) -> None:
        """Something was done."""
        self._console.print(f"  {text}", markup=False)

    def refused(self, error: TasukiError) -> None:
        """A rule said no; the whole message is shown, as its users see it."""
        for line in str(error).splitlines():
            self._console.print(f"  ! {line}", markup=False, style="yellow")

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Something takes a while: shown while it runs, and how long it took when it is over."""
        began = monotonic()
        with self._console.status(f"  {what} …"):
            yield
        self.say(f"{what} ({monotonic() - began:.1f} s)")

    @property
    def elapsed_s(self) -> float:
        """Seconds since the story began."""
        return monotonic() - self._began
