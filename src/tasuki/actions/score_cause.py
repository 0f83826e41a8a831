"""Why logged scores differ from those computed again: the one change of inputs or version that makes them agree."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from tasuki.errors import Invalid, said
from tasuki.models.artifact import Artifact, score_rows

Rows = Sequence[Mapping[str, Any]]
_TRIED_ROWS = 200
_AGREEING = 0.99
_SHIFTS_H = (*range(1, 15), *range(-12, 0))


def cause_of(artifact: Artifact, rows: Rows, others: Sequence[Artifact]) -> tuple[str, str]:
    """The fault's name and how it was found; both empty when no single change explains it.

    Args:
        artifact: The version that the log names.
        rows: Logged rows of that version, with `score` and `features`.
        others: Other versions of the model.
    """
    # What differs tells; what agrees by chance would drown it.
    tried = _differing(artifact, rows)[:_TRIED_ROWS]
    if not tried:
        return "", ""
    columns = {name: [row["features"].get(name) for row in tried] for name in artifact.inputs}
    scores = [row["score"] for row in tried]
    for told, changed in _changes(artifact, columns):
        if _agrees(artifact, changed, scores):
            return told
    for other in reversed(others):
        if other.version != artifact.version:
            theirs = {name: [row["features"].get(name) for row in tried] for name in other.inputs}
            if _agrees(other, theirs, scores):
                return "parameters_other", said("they are the scores of version {version}", version=other.version)
    return "", ""


def _differing(artifact: Artifact, rows: Rows) -> list[Mapping[str, Any]]:
    columns = {name: [row["features"].get(name) for row in rows] for name in artifact.inputs}
    again = _scores(artifact, columns)
    if again is None:
        return []
    return [row for row, score in zip(rows, again, strict=True) if not abs(score - row["score"]) <= artifact.tolerance]


def _changes(
    artifact: Artifact, columns: Mapping[str, list[Any]]
) -> Iterator[tuple[tuple[str, str], dict[str, list[Any]]]]:
    for one in artifact.inputs.values():
        if one.type == "time":
            for hours in _SHIFTS_H:
                told = said(
                    "they agree when {name} is read {hours:+d} h later than it was logged", name=one.name, hours=hours
                )
                yield ("time_zone_shifted", told), {**columns, one.name: _shifted(columns[one.name], hours)}
    for left, right in combinations(artifact.inputs.values(), 2):
        if left.type == right.type:
            told = said("they agree when {left} and {right} are exchanged", left=left.name, right=right.name)
            yield (
                ("columns_exchanged", told),
                {**columns, left.name: columns[right.name], right.name: columns[left.name]},
            )


def _shifted(values: list[Any], hours: int) -> list[Any]:
    moved = []
    for one in values:
        try:
            moved.append((datetime.fromisoformat(str(one)) + timedelta(hours=hours)).isoformat())
        except (ValueError, OverflowError):
            moved.append(one)
    return moved


def _agrees(artifact: Artifact, columns: Mapping[str, list[Any]], scores: Sequence[float]) -> bool:
    again = _scores(artifact, columns)
    if again is None:
        return False
    close = sum(abs(mine - score) <= artifact.tolerance for mine, score in zip(again, scores, strict=True))
    return close >= _AGREEING * len(scores)


def _scores(artifact: Artifact, columns: Mapping[str, list[Any]]) -> list[float] | None:
    try:
        found: list[float] = score_rows(artifact, columns).tolist()
    except Invalid:
        return None
    return found
