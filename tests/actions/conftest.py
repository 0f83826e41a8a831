from collections.abc import Iterator
from pathlib import Path

import pytest

from relay_play import ROLES_OF, START
from tasuki.actions.members import add_member
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.settings.workspace import Choices, init_workspace


@pytest.fixture
def clock() -> MovableClock:
    """Stands still until a test moves it."""
    return MovableClock(START)


@pytest.fixture
def workspace(tmp_path: Path, clock: MovableClock) -> Iterator[Workspace]:
    """A new workspace with the seven members."""
    made = init_workspace(tmp_path / "w", Choices(member="aoi"), clock)
    for name, role in ROLES_OF.items():
        add_member(made, name, actor="aoi", roles=[role])
    yield made
    made.close()
