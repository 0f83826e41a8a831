"""The experiments that were started: which there are says the shelf, and only those that are asked for are read."""

from collections.abc import Iterable

from tasuki.actions.experiment_lines import current_lines, lines_named
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, said
from tasuki.experiments.start import Run, runs_of
from tasuki.store.shelf import Shelf


def runs_by_idea(workspace: Workspace, ideas: Iterable[str]) -> dict[str, tuple[Run, ...]]:
    """Every experiment that these ideas have started."""
    found = workspace.ledger.run_events(dict.fromkeys(ideas))
    return {idea: runs_of(idea, events) for idea, events in found.items()}


def running_runs(workspace: Workspace, *names: str) -> tuple[Run, ...]:
    """The experiments that run now, and those of these names, whether they run or not; in the order of the ideas."""
    shelf = workspace.ledger.shelf()
    runs = (run for mine in runs_by_idea(workspace, _started(shelf, names)).values() for run in mine)
    return tuple(run for run in runs if run.ended_at is None or run.name in names)


def runs_of_model(workspace: Workspace, model: str) -> tuple[Run, ...]:
    """Every experiment that was ever started on a model."""
    ideas = [idea for (idea, _), one in workspace.ledger.started_models().items() if one == model]
    runs = (run for mine in runs_by_idea(workspace, ideas).values() for run in mine)
    return tuple(run for run in runs if run.settings.get("model") == model)


def run_of(workspace: Workspace, idea: str, experiment: str) -> Run:
    """The experiment as the ledger tells it.

    Raises:
        Missing: The idea has started no such experiment.
    """
    state = workspace.ledger.state(idea)
    runs = runs_by_idea(workspace, [idea]).get(idea, ())
    found = next((run for run in runs if run.name == experiment), None)
    if found is None:
        raise Missing(
            said("{idea} has started no experiment {experiment!r}", idea=idea, experiment=experiment),
            expected=", ".join(one.name for one in state.experiments) or "none was booked or started yet",
            next_step="tasuki experiment list",
        )
    return found


def _started(shelf: Shelf, names: tuple[str, ...]) -> list[str]:
    lines = [*current_lines(shelf), *(line for name in names for line in lines_named(shelf, name))]
    wanted = {line.state.idea: line.state for line in lines if line.experiment.started_at is not None}
    return [state.idea for state in sorted(wanted.values(), key=lambda state: (state.opened_at, state.idea))]
