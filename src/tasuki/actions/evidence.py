"""Attaching evidence to an idea: from tasuki's own runs, or from outside as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasuki.actions.transaction import Request, change_idea
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid, Missing, said
from tasuki.experiments.start import require_not_started
from tasuki.flow import decide
from tasuki.flow.event import NewEvent
from tasuki.flow.evidence import Evidence, read_evidence, to_body
from tasuki.flow.records import ExperimentPlan
from tasuki.flow.rights import Act
from tasuki.flow.state import IdeaState


def attach_evidence(
    workspace: Workspace,
    idea: str,
    body: Mapping[str, Any] | Evidence,
    *,
    actor: str,
    stage: str | None = None,
    key: str | None = None,
) -> IdeaState:
    """Validates evidence and lays it to a stage of the idea: the present one unless another is named.

    Args:
        workspace: Where the idea is.
        idea: Its id.
        body: The JSON form (see `tasuki.flow.evidence.to_body`) or the evidence itself. Producer and moment, where
            they are missing, are the actor and now.
        actor: Who attaches it.
        stage: A stage the idea has reached.
        key: Idempotency key.

    Raises:
        Invalid: With every fault of the evidence at once. Nothing was written.
        Refused: It is the plan of an experiment that has started.
    """
    evidence = body if isinstance(body, Evidence) else read_evidence(_completed(workspace, body, actor))
    written = to_body(evidence)
    said = {"evidence": written if isinstance(body, Evidence) else dict(body), "stage": stage}
    request = Request("attach_evidence", actor, said, key)

    def decided(state: IdeaState, act: Act) -> list[NewEvent]:
        if isinstance(evidence.record, ExperimentPlan):
            require_not_started(state, evidence.record.experiment)
        return [decide.attach_evidence(state, act, written, evidence.content_hash, stage)]

    return change_idea(workspace, idea, request, decided)


def _completed(workspace: Workspace, body: Mapping[str, Any], actor: str) -> Mapping[str, Any]:
    return {"producer": actor, "at": workspace.clock().isoformat(), **body}


def read_evidence_file(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file.

    Raises:
        Missing: There is no such file.
        Invalid: It is no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(said("there is no file {path}", path=path), expected="a JSON file with the evidence") from None
    except (OSError, ValueError) as error:
        raise Invalid(
            said("{path} cannot be read as JSON: {error}", path=path, error=error), expected="a JSON object in UTF-8"
        ) from error
    if not isinstance(value, dict):
        raise Invalid(said("{path} holds no JSON object", path=path), expected='an object with "kind" and "record"')
    return value
