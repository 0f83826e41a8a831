"""Making a version the one that the inference service fetches, and taking that back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tasuki.actions.artifacts import attach_once, read_version, store_of
from tasuki.actions.publication_checks import Candidate, publication_faults
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, NotAllowed, Refused, TasukiError, command, said
from tasuki.flow.evidence import Evidence, evidence_of
from tasuki.flow.records import DefaultNote, Publication
from tasuki.flow.rights import require_at_work, require_member
from tasuki.models.artifact import prove, read_artifact
from tasuki.models.default_answer import DefaultAnswer, require_default

CHAMPION = "champion"
PUBLISHERS = ("ml_engineer", "data_scientist")
"""Who may publish: engineers, and data scientists, who ship minor updates themselves."""


@dataclass(frozen=True)
class Published:
    """A channel that now points to a version; `default` is what is answered when nothing can be computed."""

    model: str
    channel: str
    version: str
    previous: str | None
    evidence: Evidence
    default: DefaultAnswer | None = None


def publish_model(
    workspace: Workspace,
    model: str,
    version: str,
    *,
    channel: str = "champion",
    actor: str,
    default: DefaultAnswer | None = None,
    idea: str | None = None,
    key: str | None = None,
) -> Published:
    """Proves a version on its golden examples and on fresh rows, and points the channel at it.

    Args:
        default: What is answered when neither an arm nor control can; what its model file says by default.

    Raises:
        Refused: When the actor has no role that may, the idea's formation gives its stage to others, or a check fails:
            naming every one, and how to mend it.
        Invalid: When the version is damaged or fails its golden examples. The channel stays as it was.
    """
    _require_publisher(workspace, actor, f"publish {model}")
    require_default(default)
    if idea is not None:
        # Asked before the pointer moves: the evidence could not be attached afterwards.
        state = workspace.ledger.state(idea)
        require_at_work(state, workspace.act(actor), state.stage, f"publish {model} for {idea}")
    candidate = _candidate(workspace, model, version)
    faults = publication_faults(workspace, candidate)
    if faults:
        raise Refused(
            said(
                "version {version} of {model} cannot be published: {count} check(s) fail",
                version=version,
                model=model,
                count=len(faults),
            ),
            rule="a version is published when the service can have its features, its clients send them, and it scores "
            "today's rows alike alone and together and as training said",
            faults=faults,
            next_step="mend each, train again, and publish the new version",
        )
    record = Publication(model, channel, version, workspace.artifacts_location)
    published = _published(workspace, record, actor, default or candidate.artifact.default)
    if idea is not None:
        attach_once(workspace, idea, published.evidence, actor, key)
    return published


def roll_back_model(
    workspace: Workspace,
    model: str,
    *,
    channel: str = "champion",
    actor: str,
    to: str | None = None,
    idea: str | None = None,
    key: str | None = None,
) -> Published:
    """Points the channel back at a version it had before, with its default answer, after proving that version.

    Args:
        to: The version; None for the newest before the present one that nobody went back from since.

    Raises:
        Missing: When the channel has no version to go back to, or never had the one that is named.
    """
    _require_publisher(workspace, actor, f"roll back {model}")
    store = store_of(workspace)
    pointers = store.history(model, channel)
    history = [one.version for one in pointers]
    earlier = list(dict.fromkeys(one for one in reversed(history) if one != history[-1]))
    if to is None:
        to = next(iter(versions_behind(history)), None)
    if to is None or to not in earlier:
        never = f"there is nothing further back on the channel {channel} of {model}"
        raise Missing(
            never
            if to is None
            else said(
                "version {to} was not on the channel {channel} of {model} before the present one",
                to=to,
                channel=channel,
                model=model,
            ),
            expected=said("one of {earlier}, the newest first", earlier=tuple(earlier))
            if earlier
            else "at least two published versions",
            next_step=command(
                "tasuki model rollback {model} --channel {channel} --to VERSION", model=model, channel=channel
            )
            if earlier
            else "tasuki model list",
        )
    read_version(store, model, to)
    default = next(one.default for one in reversed(pointers) if one.version == to)
    published = _published(workspace, Publication(model, channel, to, workspace.artifacts_location), actor, default)
    if idea is not None:
        attach_once(workspace, idea, published.evidence, actor, key)
    return published


def versions_behind(history: Sequence[str]) -> list[str]:
    """What a channel can still go back to, the nearest first.

    A version that comes again from further back is a way back: all that was published after it counts as given up, so
    that going back twice does not return to what was bad.

    Args:
        history: The versions the channel pointed to, the oldest first.
    """
    way: list[str] = []
    for version in history:
        way = way[: way.index(version)] if version in way else way
        way.append(version)
    return way[-2::-1] if len(way) > 1 else []


def _candidate(workspace: Workspace, model: str, version: str) -> Candidate:
    store = store_of(workspace)
    files = store.load(model, version)
    artifact = read_artifact(model, version, files)
    prove(artifact)
    try:
        known = store.current(model, CHAMPION)
        champion = read_version(store, model, known) if known else None
    except TasukiError:
        champion = None  # A champion that is broken must not keep its successor out.
    return Candidate(artifact, sum(map(len, files.values())), champion)


def _require_publisher(workspace: Workspace, actor: str, verb: str) -> None:
    act = workspace.act(actor)
    member = require_member(act)
    if set(member.roles) & set(PUBLISHERS):
        return
    able = [name for name, one in act.members.items() if set(one.roles) & set(PUBLISHERS)]
    raise NotAllowed(
        said("{actor} ({roles}) may not {verb}", actor=actor, roles=tuple(member.roles) or said("no role"), verb=verb),
        rule=said("models are published by {publishers:or}", publishers=tuple(PUBLISHERS)),
        expected=said("one of the members who may: {members}", members=tuple(able))
        if able
        else "a member with such a role",
        next_step=said("ask {member}", member=able[0]) if able else "tasuki account role NAME --role ml_engineer",
    )


def _published(workspace: Workspace, record: Publication, actor: str, default: DefaultAnswer | None) -> Published:
    store, now = store_of(workspace), workspace.clock()
    previous = store.publish(record.model, record.channel, record.version, now, actor, default=default)
    noted = None if default is None else DefaultNote(float(default.value), default.reason)
    known = replace(record, previous_version=previous, default=noted)
    evidence = evidence_of(known, "tasuki model publish", workspace.clock())
    return Published(record.model, record.channel, record.version, previous, evidence, default)
