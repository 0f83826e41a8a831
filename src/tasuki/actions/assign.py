"""Assigning units to arms, the same way as the inference service does."""

from collections.abc import Iterable, Mapping

from tasuki.experiments.assigned import Assigned, Assignments
from tasuki.experiments.assignment import assign_many


def assign(units: Iterable[object], *, salt: str, arms: Mapping[str, float]) -> Assignments:
    """The arm and bucket of each unit.

    Args:
        units: What is randomised; the text of each is hashed.
        salt: Any text; another salt is another, independent split.
        arms: Share of the traffic by arm, adding up to 1.

    Raises:
        Invalid: Shares that cannot be: every fault at once.
    """
    chosen = list(units)
    found = assign_many(chosen, salt, arms)
    return Assignments(
        tuple(Assigned(str(unit), arm, bucket) for unit, (arm, bucket) in zip(chosen, found, strict=True))
    )
