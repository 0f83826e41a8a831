"""What keeps a hypothesis from being tested: looked for while it is written, and again when it is offered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PARTS = ("change", "metric", "because", "population")


@dataclass(frozen=True)
class Lint:
    """One thing to mend in a brief: a code, its figures, and the English words for it."""

    code: str
    text: str
    values: Mapping[str, str] = field(default_factory=dict)


def lint_brief(brief: Mapping[str, Any]) -> tuple[Lint, ...]:
    """Everything that is wrong with a hypothesis brief; empty for one that can be tested.

    Args:
        brief: The record's fields, as far as they are written: missing ones count as blank.
    """
    found = [
        Lint("blank", f"the {name} is blank", {"part": name})
        for name in PARTS
        if not str(brief.get(name) or "").strip()
    ]
    size, direction = brief.get("expected_size"), brief.get("direction")
    if size is None:
        found.append(Lint("no_size", "the expected size is missing"))
    elif size == 0:
        found.append(Lint("zero_size", "the expected size is 0: an idea that moves nothing cannot be tested"))
    elif (size > 0) != (direction == "increase"):
        text = f"the expected size {size:+g} and the direction {direction!r} disagree"
        found.append(Lint("direction_disagrees", text, {"size": f"{size:+g}"}))
    because, change = (str(brief.get(name) or "").strip() for name in ("because", "change"))
    if because and because == change:
        found.append(Lint("repeats", "the because only repeats the change: say why it should be true"))
    return tuple(found)
