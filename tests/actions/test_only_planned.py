"""An experiment that is planned and not started: the next step is its start."""

from types import SimpleNamespace
from typing import Any

import pytest

from tasuki.actions.start import idea_of_experiment
from tasuki.errors import Missing
from tasuki.store.shelf import shelf_of


def workspace_with(*kinds: str) -> Any:
    evidence = [SimpleNamespace(kind=kind, record={"experiment": "ab2"}) for kind in kinds]
    state: Any = SimpleNamespace(idea="idea-7", status="active", experiments=(), evidence=tuple(evidence))
    return SimpleNamespace(ledger=SimpleNamespace(shelf=lambda: shelf_of([state])))


def test_a_plan_alone_leads_to_the_start() -> None:
    with pytest.raises(Missing) as raised:
        idea_of_experiment(workspace_with("hypothesis_brief", "experiment_plan"), "ab2")
    assert raised.value.next_step == "tasuki experiment start ab2 --idea idea-7"


def test_without_a_plan_the_experiments_are_listed() -> None:
    with pytest.raises(Missing) as raised:
        idea_of_experiment(workspace_with("hypothesis_brief"), "ab2")
    assert raised.value.next_step == "tasuki experiment list"
