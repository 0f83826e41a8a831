"""Units on the disk: where passes bound the memory, what does not add up over them is taken from files.

Each pass writes its units into a file. What is asked of all units together (a quantile, an end at a quantile) is then
a position in a file of sorted values, which the engine sorts on the disk: exact, in memory that does not grow with the
units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasuki.actions.quantiles import Place, levels_of, told, wanted_quantiles
from tasuki.metrics.compile import NO_VALUE
from tasuki.metrics.levels import raw_tree
from tasuki.metrics.metric import Limits
from tasuki.metrics.ordered import ARM, SEGMENT, groups_tree, neighbours, ordered_tree, picked_tree
from tasuki.metrics.reading import Reading
from tasuki.metrics.statistics import Cell, Statistics
from tasuki.metrics.winsor import caps_of, read_limits
from tasuki.warehouse import Source, Warehouse

Group = tuple[str | None, str | None]
"""An arm and a segment's value; None where they are not told apart."""


@dataclass(frozen=True)
class Spill:
    """Units that were summed up and written to files.

    Args:
        engine: Who reads and sorts them.
        folder: Where they are.
        whole: The question over all units.
        parts: The same over the parts that are small enough to be grouped again (clusters), else over all.
    """

    engine: Warehouse
    folder: Path
    whole: Reading
    parts: tuple[Reading, ...]

    def within(self, limits: Mapping[int, Limits]) -> "Spill":
        """The same, its winsorised metrics held within these ends."""
        return replace(self, whole=self.whole.within(limits), parts=tuple(one.within(limits) for one in self.parts))


def spill(engine: Warehouse, readings: Sequence[Reading], folder: Path) -> Spill:
    """Writes the units of each part of a table into a file of the folder.

    Args:
        engine: DuckDB.
        readings: The parts; no unit is in two of them.
        folder: An empty folder.
    """
    paths = [folder / f"units-{at}.parquet" for at in range(len(readings))]
    for path, reading in zip(paths, readings, strict=True):
        engine.save(raw_tree(reading), path)
    tables = [engine.table(Source("parquet", "units", (str(path),))) for path in paths]
    every = engine.table(Source("parquet", "units", tuple(map(str, paths))))
    tells = readings[0].tells_varying
    whole = replace(readings[0], units=every, units_tell_varying=tells)
    parts = [replace(one, units=table, units_tell_varying=tells) for one, table in zip(readings, tables, strict=True)]
    return Spill(engine, folder, whole, tuple(parts) if whole.cluster is not None else (whole,))


def spilled_limits(spilled: Spill) -> dict[int, Limits]:
    """The ends of winsorised metrics: the same for all arms, so from the units of all passes together."""
    row: dict[str, float | None] = {}
    for i, bound in enumerate(spilled.whole.metrics):
        wanted = {end: cap.amount for end, cap in caps_of(bound) if cap is not None and cap.is_quantile}
        if wanted:
            found = _quantiles(spilled, i, None, {(None, None): list(wanted.values())})
            row |= dict.fromkeys((f"q{i}_{end}" for end in wanted), None)
            row |= dict(zip((f"q{i}_{end}" for end in wanted), found.get((None, None), ()), strict=False))
    return read_limits(spilled.whole, row)


def spilled_quantiles(spilled: Spill, statistics: Statistics, alpha: float) -> Statistics:
    """The statistics with the quantiles of each arm and segment."""
    reading = spilled.whole
    found: dict[Place, tuple[float, float, float]] = {}
    for i in wanted_quantiles(reading, statistics):
        for k in (None, *range(len(reading.segments))):
            column = None if k is None else reading.segments[k]
            cells = [one for one in statistics.cells if (None if one.segment is None else one.segment[0]) == column]
            asked = {_group(cell): one for cell in cells if (one := levels_of(reading, i, cell, alpha)) is not None}
            values = _quantiles(spilled, i, k, {group: [q.low, q.at, q.high] for group, q in asked.items()})
            for cell in cells:
                if _group(cell) in values:
                    low, middle, high = values[_group(cell)]
                    found[i, cell.segment, cell.arm] = (low, middle, high)
    return told(statistics, found) if found else statistics


def _group(cell: Cell) -> Group:
    return cell.arm, None if cell.segment is None else cell.segment[1]


def _quantiles(
    spilled: Spill, i: int, segment: int | None, asked: Mapping[Group, Sequence[float]]
) -> dict[Group, list[float]]:
    """The quantiles asked of each group of units, from a file of their values in order that is removed at the end."""
    by_arm = any(arm is not None for arm, _ in asked)
    path = spilled.folder / "ordered.parquet"
    spilled.engine.save(ordered_tree(spilled.whole, i, segment, by_arm), path)
    try:
        table = spilled.engine.numbered(path)
        places: dict[Group, list[tuple[int, int, float]]] = {}
        for row in spilled.engine.rows(groups_tree(table, segment, by_arm)):
            group = (str(row[ARM]) if by_arm else None, None if segment is None else _called(row[SEGMENT]))
            if row["n"] and group in asked:
                places[group] = [neighbours(int(row["first"]), int(row["n"]), q) for q in asked[group]]
        positions = sorted({at for several in places.values() for low, high, _ in several for at in (low, high)})
        picked = spilled.engine.rows(picked_tree(table, positions)) if positions else []
    finally:
        path.unlink(missing_ok=True)
    value = {int(row["file_row_number"]): float(row["value"]) for row in picked}
    return {
        group: [value[low] + share * (value[high] - value[low]) for low, high, share in several]
        for group, several in places.items()
    }


def _called(value: object) -> str:
    return NO_VALUE if value is None else str(value)
