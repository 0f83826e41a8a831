"""Two machines book the same free slot of one ledger at the same moment: one gets it, the other is told who has it."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tasuki.actions.booking import read_calendar
from tasuki.actions.relay import open_idea
from tasuki.clock import MovableClock
from tasuki.settings.workspace import Choices, init_workspace, open_workspace

BOOK = """\
import sys, time
from datetime import UTC, date, datetime
from pathlib import Path
from tasuki.actions import booking
from tasuki.clock import MovableClock
from tasuki.errors import Refused
from tasuki.settings.workspace import open_workspace

found = booking.find_slot

def slowly(*asked):
    slot = found(*asked)
    time.sleep(0.7)  # decided, and not written yet
    return slot

booking.find_slot = slowly
folder, idea = Path(sys.argv[1]), sys.argv[2]
here = open_workspace(folder, MovableClock(datetime(2026, 4, 1, tzinfo=UTC)))
print("ready", flush=True)
sys.stdin.readline()
try:
    request = booking.BookingRequest(f"ab-{idea}", "comparison", 14, date(2026, 4, 6))
    booking.book_experiment(here, idea, request, actor="aoi")
    print("booked")
except Refused as refusal:
    print("refused", refusal)
"""


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_one_of_two_processes_gets_the_slot(tmp_path: Path, new_database: Callable[[str], str], backend: str) -> None:
    url, clock = new_database(backend), MovableClock(datetime(2026, 4, 1, tzinfo=UTC))
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:  # as on two machines: nothing is shared but the ledger
        init_workspace(folder, Choices(member="aoi"), clock).close()
        settings = folder / "tasuki.toml"
        settings.write_text(settings.read_text().replace("sqlite:///ledger.db", url), encoding="utf-8")
    from tasuki.store.ledger import open_ledger

    open_ledger(url, clock).close()
    with closing(open_workspace(folders[0], clock)) as here:
        from tasuki.actions.members import add_member

        add_member(here, "aoi", actor="aoi", roles=["data_scientist"])
        ideas = [open_idea(here, f"Idea {one}", actor="aoi", formation="all_in_one").idea for one in (1, 2)]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", BOOK, str(folder), idea], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for folder, idea in zip(folders, ideas, strict=True)
    ]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    said = sorted(one.communicate(timeout=60)[0].split()[0] for one in both)
    assert said == ["booked", "refused"]
    with closing(open_workspace(folders[1], clock)) as here:
        (slot,) = read_calendar(here).slots
        assert slot.first == date(2026, 4, 6)
