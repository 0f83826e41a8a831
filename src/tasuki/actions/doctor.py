"""Looking after the ledger: is it sound, make its stored fold anew, keep a copy, put a copy back."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tasuki.clock import Clock, system_clock
from tasuki.errors import Fault, Invalid, Refused
from tasuki.store.backup import Backup, write_backup
from tasuki.store.database import require_there
from tasuki.store.ledger import Ledger, open_ledger
from tasuki.store.restore import Restored, restore
from tasuki.store.verify import Finding

__all__ = ["Examination", "back_up", "examine", "restore_backup"]

_BESIDE_THE_EVENTS = frozenset({"fold", "guard"})


@dataclass(frozen=True)
class Examination:
    """What the doctor saw.

    Args:
        events: How many events the ledger holds; None when its file is too damaged to count them.
        streams: How many streams (ideas, and the team) they make up; None likewise.
        rebuilt: How many stored folds were made anew; None when that was not asked for.
        findings: What is wrong now; empty when the ledger is healthy.
    """

    events: int | None
    streams: int | None
    rebuilt: int | None
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def examine(url: str, *, rebuild: bool = False, force: bool = False) -> Examination:
    """Verifies the ledger at `url`: every hash, gap, stored fold and key.

    Args:
        url: The ledger's address.
        rebuild: Make the stored fold anew from the events first.
        force: Do that even though the events are damaged: the stored heads then forget what was removed.

    Raises:
        Refused: Rebuilding was asked for, but something is wrong with the events themselves.
    """
    require_there(url)
    with closing(open_ledger(url)) as ledger:
        findings, rebuilt = ledger.verify(), None
        if rebuild:
            _refuse_unsound(findings, force=force)
            rebuilt = ledger.rebuild()
            findings = ledger.verify()
        events, streams = _size(ledger)
        return Examination(events, streams, rebuilt, findings)


def back_up(url: str, file: Path, clock: Clock = system_clock) -> Backup:
    """Writes the ledger to a file of JSON lines and proves the file whole. Others may go on writing meanwhile."""
    require_there(url)
    with closing(open_ledger(url)) as ledger:
        return write_backup(ledger, file, clock())


def restore_backup(file: Path, url: str, *, force: bool = False, clock: Clock = system_clock) -> Restored:
    """Puts a backup at the ledger's address; see `tasuki.store.restore.restore`."""
    return restore(file, url, clock(), force=force)


def _size(ledger: Ledger) -> tuple[int, int] | tuple[None, None]:
    try:
        return ledger.size()
    except Invalid:  # the findings say that the file is damaged
        return None, None


def _refuse_unsound(findings: tuple[Finding, ...], *, force: bool) -> None:
    unsound = [one for one in findings if one.problem not in _BESIDE_THE_EVENTS]
    if unsound and not force:
        raise Refused(
            "the events themselves are damaged; the stored fold was left as it is",
            rule="the stored fold, which shows what is missing, is made anew only from sound events",
            faults=[Fault(f"{one.idea or 'ledger'} {one.sequence or ''}".strip(), one.what) for one in unsound],
            next_step="`tasuki restore` a backup; add --force only to go on without what was lost",
        )
