"""The machine checks that have to run something: queries, trainings, scorers. A registry by name; tests put in others.

A runner gives what is wrong, in words; nothing when the check passes. What goes wrong while it runs is a finding too:
an offer is refused with all of them, not stopped by the first.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasuki.actions.workspace import Workspace
from tasuki.clock import from_text
from tasuki.errors import TasukiError, joined, said
from tasuki.flow.checks import CHECKS, RUNNING, CheckResult
from tasuki.flow.plan import Contract
from tasuki.flow.state import EvidenceEntry, IdeaState

if TYPE_CHECKING:
    from tasuki.models.artifact import Artifact
    from tasuki.store.artifacts import ArtifactStore
    from tasuki.warehouse import Warehouse

Runner = Callable[[Workspace, IdeaState], list[str]]


def run_checks(
    workspace: Workspace, state: IdeaState, contract: Contract, runners: Mapping[str, Runner]
) -> dict[str, CheckResult]:
    """Runs the contract's checks that have to run something and whose evidence is there."""
    ready = [
        name
        for name in contract.checks
        if name in RUNNING and all(state.latest(kind) is not None for kind in CHECKS[name].needs)
    ]
    return {name: _run(workspace, state, name, runners[name]) for name in ready}


def _run(workspace: Workspace, state: IdeaState, name: str, runner: Runner) -> CheckResult:
    try:
        faults = runner(workspace, state)
    except TasukiError as error:
        faults = [_in_one_line(error)]
    return CheckResult(name, not faults, joined(faults) if faults else "passed")


def _in_one_line(error: TasukiError) -> str:
    """What went wrong with every fault, as one line; in English also what was expected and what to do."""
    faults = [said("{where}: {what}", where=one.where, what=one.what) for one in getattr(error, "faults", ())]
    return joined([error.what, *faults], text=" ".join(str(error).split()))


def newest(state: IdeaState, kind: str) -> EvidenceEntry:
    """The newest evidence of a kind that a check needs."""
    entry = state.latest(kind)
    if entry is None:
        raise ValueError(f"{state.idea} has no {kind}; run_checks asks only for checks whose evidence is there")
    return entry


def queries_rerun(workspace: Workspace, state: IdeaState) -> list[str]:
    """Runs every query of the data report again: it must give the columns and the number of rows it gave before."""
    from tasuki.warehouse import Warehouse

    warehouse = Warehouse(workspace.tables)
    try:
        faults = []
        for query in newest(state, "data_report").record["queries"]:
            try:
                faults += _rerun(warehouse, query)
            except TasukiError as error:
                faults.append(said("{name} does not run: {why}", name=query["name"], why=_in_one_line(error)))
        return faults
    finally:
        warehouse.close()


def _rerun(warehouse: "Warehouse", query: Mapping[str, Any]) -> list[str]:
    import sqlglot
    from sqlglot import exp

    try:
        trees = sqlglot.parse(query["sql"], read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        return [said("{name} is no SQL: {why}", name=query["name"], why=str(error).splitlines()[0])]
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Query):
        return [said("{name} is not one query that only reads", name=query["name"])]
    again = tree.subquery("again")
    columns = warehouse.fetch(exp.select("*").from_(again).limit(0)).column_names
    counted = warehouse.rows(exp.select(exp.alias_(exp.Count(this=exp.Star()), "n")).from_(again.copy()))
    faults = []
    if list(columns) != list(query["columns"]):
        faults.append(
            said(
                "{name} gives the columns {columns}, not {wanted}",
                name=query["name"],
                columns=tuple(columns),
                wanted=tuple(query["columns"]),
            )
        )
    if counted[0]["n"] != query["rows"]:
        faults.append(
            said(
                "{name} gives {rows:,} rows, not {wanted:,}",
                name=query["name"],
                rows=counted[0]["n"],
                wanted=query["rows"],
            )
        )
    return faults


def training_reproduces(workspace: Workspace, state: IdeaState) -> list[str]:
    """Trains again on the window of the model card: the same inputs must give the same version."""
    from tasuki.actions.models import train_model
    from tasuki.flow.evidence import to_body

    entry = newest(state, "model_card")
    card, window = entry.record, entry.body.get("data_window")
    until = None if window is None else from_text(window["end"])
    again = train_model(workspace, _model_file(workspace, card), until=until, actor=state.holder)
    if again.version == card["version"]:
        return []
    fresh = to_body(again.card)["record"]
    changed = [
        said("{name} was {before} and is {now}", name=name, before=card[name], now=fresh[name])
        for name in ("model_file_hash", "data_hash", "seed", "libraries")
        if card[name] != fresh[name]
    ]
    return [
        said(
            "a fresh run gives version {version}, not {wanted} ({changed})",
            version=again.version,
            wanted=card["version"],
            changed=joined(changed) if changed else said("same inputs"),
        )
    ]


def _model_file(workspace: Workspace, card: Mapping[str, Any]) -> Path:
    return workspace.folder / str(card["model_file"])


def job_dry_run(workspace: Workspace, state: IdeaState) -> list[str]:
    """Runs the training job once on the data of today, as the schedule will, without publishing what it makes."""
    from tasuki.actions.models import train_model

    if not newest(state, "readiness_note").record["dry_run_succeeded"]:
        return [said("the readiness note says that the dry run did not succeed")]
    card = newest(state, "model_card").record
    train_model(workspace, _model_file(workspace, card), actor=state.holder)
    return []


def golden_examples_pass(workspace: Workspace, state: IdeaState) -> list[str]:
    """Scores the golden examples with the stored version they belong to: it must give their scores."""
    golden = newest(state, "golden_examples").record
    return _golden_faults(_artifact(_store(workspace, "."), golden["model"], golden["version"]), golden)


def golden_parity(workspace: Workspace, state: IdeaState) -> list[str]:
    """Scores the golden examples with what the inference service would fetch: the published channel's version."""
    golden, publication = (newest(state, kind).record for kind in ("golden_examples", "publication"))
    store = _store(workspace, publication["location"])
    current = store.current(publication["model"], publication["channel"])
    faults = []
    if current != publication["version"]:
        faults.append(
            said(
                "the channel {channel} points to {current}, not to {version}",
                channel=publication["channel"],
                current=current,
                version=publication["version"],
            )
        )
    if publication["version"] != golden["version"]:
        faults.append(
            said(
                "published is {version}, the examples are of {other}",
                version=publication["version"],
                other=golden["version"],
            )
        )
    return faults or _golden_faults(_artifact(store, publication["model"], publication["version"]), golden)


def _store(workspace: Workspace, location: str) -> "ArtifactStore":
    """The artifact store of the workspace for `.`, else the one named, relative to the workspace."""
    from tasuki.store.artifacts import ArtifactStore

    return ArtifactStore.at(workspace.folder, workspace.artifacts_location if location == "." else location)


def _artifact(store: "ArtifactStore", model: str, version: str) -> "Artifact":
    from tasuki.models.artifact import read_artifact

    return read_artifact(model, version, store.load(model, version))


def _golden_faults(artifact: "Artifact", golden: Mapping[str, Any]) -> list[str]:
    """Each example whose score differs, row by row as the service scores and all together as training does."""
    from tasuki.models.artifact import score_rows

    examples = golden["examples"]
    lacking = [
        said("example {number} lacks {name}", number=number, name=name)
        for number, one in enumerate(examples)
        for name in artifact.inputs
        if name not in one["features"]
    ]
    if lacking:
        return lacking
    columns = {name: [one["features"][name] for one in examples] for name in artifact.inputs}
    together = score_rows(artifact, columns)
    faults = []
    for number, (one, batch) in enumerate(zip(examples, together, strict=True)):
        row = artifact.scorer.score_row({name: one["features"][name] for name in artifact.inputs})
        for way, score in ((said("alone"), row), (said("in a batch"), float(batch))):
            if not abs(score - one["score"]) <= golden["tolerance"]:
                faults.append(
                    said(
                        "example {number} scores {score:.9g} {way}, not {wanted:.9g}",
                        number=number,
                        score=score,
                        way=way,
                        wanted=one["score"],
                    )
                )
    return faults


RUNNERS: Mapping[str, Runner] = {
    "queries_rerun": queries_rerun,
    "training_reproduces": training_reproduces,
    "golden_examples_pass": golden_examples_pass,
    "golden_parity": golden_parity,
    "job_dry_run": job_dry_run,
}
"""What runs when a contract names it."""
