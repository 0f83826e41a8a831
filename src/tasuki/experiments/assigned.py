"""Units and the arms they belong to, as values to print."""

import json
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

SCHEMA = "tasuki.assign/1"
ROWS_SHOWN = 50


@dataclass(frozen=True)
class Assigned:
    """A unit, its arm, and its bucket in [0, 1)."""

    unit: str
    arm: str
    bucket: float


@dataclass(frozen=True)
class Assignments:
    """The assignments asked for, in the order of the units."""

    assignments: tuple[Assigned, ...]

    def to_dict(self) -> dict[str, Any]:
        """The assignments as JSON values, without the schema's name."""
        return asdict(self)

    def to_json(self) -> str:
        """The document that `tasuki assign --json` prints."""
        return json.dumps({"schema": SCHEMA, **self.to_dict()}, ensure_ascii=False)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(one.unit)}</td><td>{escape(one.arm)}</td><td>{one.bucket:.6f}</td></tr>"
            for one in self.assignments[:ROWS_SHOWN]
        )
        more = len(self.assignments) - ROWS_SHOWN
        note = f"<p>and {more:,} more</p>" if more > 0 else ""
        return f"<table><thead><tr><th>unit</th><th>arm</th><th>bucket</th></tr></thead>{rows}</table>{note}"
