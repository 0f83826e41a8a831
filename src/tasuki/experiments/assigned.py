"""Units and the arms they belong to, column by column, as values to print."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from typing import Any

SCHEMA = "tasuki.assign/1"
ROWS_SHOWN = 50


@dataclass(frozen=True)
class Assigned:
    """A unit, its arm, and its bucket in [0, 1).

    Args:
        unit: The unit's text; None where there was none.
        arm: Its arm; None when it takes no part.
        bucket: Where its arm's hash lies.
        status: `assigned`, `holdout`, `outside` (the exposed range) or `no_unit`.
    """

    unit: str | None
    arm: str | None
    bucket: float | None
    status: str = "assigned"


@dataclass(frozen=True)
class Assignments:
    """The assignments asked for, in the order of the units. Millions of them stay columns until somebody asks a row.

    Args:
        units: The text of each unit.
        arms: The arm of each; None for one that takes no part.
        buckets: The bucket of each.
        statuses: The status of each.
    """

    units: Sequence[str | None]
    arms: Sequence[str | None]
    buckets: Sequence[float | None]
    statuses: Sequence[str]

    def __len__(self) -> int:
        return len(self.units)

    @cached_property
    def assignments(self) -> tuple[Assigned, ...]:
        """One value per unit."""
        return self._rows(len(self))

    def to_dict(self) -> dict[str, Any]:
        """The assignments as JSON values, without the schema's name."""
        return {"assignments": [asdict(one) for one in self.assignments]}

    def to_json(self) -> str:
        """The document that `tasuki assign --json` prints."""
        return json.dumps({"schema": SCHEMA, **self.to_dict()}, ensure_ascii=False)

    def _rows(self, count: int) -> tuple[Assigned, ...]:
        columns = (_plain(one, count) for one in (self.units, self.arms, self.buckets, self.statuses))
        return tuple(Assigned(*row) for row in zip(*columns, strict=True))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(one.unit or '')}</td><td>{escape(one.arm or one.status)}</td>"
            f"<td>{'' if one.bucket is None else f'{one.bucket:.6f}'}</td></tr>"
            for one in self._rows(min(ROWS_SHOWN, len(self)))
        )
        more = len(self) - ROWS_SHOWN
        note = f"<p>and {more:,} more</p>" if more > 0 else ""
        return f"<table><thead><tr><th>unit</th><th>arm</th><th>bucket</th></tr></thead>{rows}</table>{note}"


def _plain(column: Any, count: int) -> list[Any]:
    """The first values of a list or of an Arrow column, as Python values."""
    first = column[:count]
    return list(first.to_pylist() if hasattr(first, "to_pylist") else first)
