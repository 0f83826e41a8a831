"""What keeps a hypothesis from being tested: looked for while it is written, and again when it is offered."""

from collections.abc import Mapping
from typing import Any

from tasuki.errors import said

PARTS = ("change", "metric", "because", "population")


def lint_brief(brief: Mapping[str, Any]) -> tuple[str, ...]:
    """Everything that is wrong with a hypothesis brief, each as a sentence; empty for one that can be tested.

    Args:
        brief: The record's fields, as far as they are written: missing ones count as blank.
    """
    found: list[str] = [
        said("the {part} is blank", part=name) for name in PARTS if not str(brief.get(name) or "").strip()
    ]
    size, direction = brief.get("expected_size"), brief.get("direction")
    if size is None:
        found.append(said("the expected size is missing"))
    elif size == 0:
        found.append(said("the expected size is 0: an idea that moves nothing cannot be tested"))
    elif (size > 0) != (direction == "increase"):
        found.append(
            said("the expected size {size:+g} and the direction {direction!r} disagree", size=size, direction=direction)
        )
    because, change = (str(brief.get(name) or "").strip() for name in ("because", "change"))
    if because and because == change:
        found.append(said("the because only repeats the change: say why it should be true"))
    return tuple(found)
