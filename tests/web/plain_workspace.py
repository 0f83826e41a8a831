"""A workspace around any ledger, as of the told ideas' present."""

from pathlib import Path

from told_ideas import NOW

from tasuki.actions.workspace import Workspace
from tasuki.flow.playbook import default_playbook
from tasuki.store.ledger import Ledger


def workspace_of(ledger: Ledger, folder: Path) -> Workspace:
    return Workspace(
        folder=folder,
        name="広告配信チーム",
        language="ja",
        ledger=ledger,
        playbook=default_playbook(),
        clock=lambda: NOW,
        flow="model",
        formation="planner_maker_evaluator",
        member="aoi",
        tables={},
    )
