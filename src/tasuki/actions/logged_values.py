"""The values of the logged inputs, held against those of the table the treatment was trained on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tasuki.actions.logged_names import path_of
from tasuki.actions.logged_times import logged_value
from tasuki.actions.training_table import TrainingTable
from tasuki.errors import TasukiError, said
from tasuki.experiments.check import ValuesSeen
from tasuki.models.artifact import Input
from tasuki.models.encoding import WrongValue, category_text
from tasuki.stats.stability import population_stability

if TYPE_CHECKING:
    from sqlglot import exp

    from tasuki.actions.exposures import Exposures

_CATEGORIES = 20
"""Categories that are held against each other one by one; the rest are one bin."""
_MOST_VALUES = 50_000
_BINS = 10
_KNOWN = 0.9
_SAME_INDEX = 0.1
_SUSPECT_INDEX = 0.25

_LOGGED_RAW = "select count(*) as n, :value as value from checked_exposures where :kind not in ('NULL') group by all"


@dataclass(frozen=True)
class _Categories:
    """What training knew of a category: each value's share, the most frequent first; whether that is all of them."""

    shares: Mapping[str, float]
    is_whole: bool

    def index(self, counts: Mapping[str, int]) -> float:
        """The stability index of counts against these shares."""
        named = list(self.shares)[:_CATEGORIES]
        seen = [counts.get(one, 0) for one in named]
        expected = [self.shares[one] for one in named]
        rest, left = sum(counts.values()) - sum(seen), 1 - sum(expected)
        return population_stability([*seen, rest], [*expected, max(left, 0.0)])

    def unknown(self, counts: Mapping[str, int]) -> float:
        """The share of counts whose value is not known; 0 when not all were read."""
        total = sum(counts.values())
        return sum(n for one, n in counts.items() if one not in self.shares) / total if self.is_whole and total else 0.0


@dataclass(frozen=True)
class _Numbers:
    """What training knew of a number: edges of bins, and the share of each."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


def values_seen(
    exposures: "Exposures", inputs: Sequence[Input], table: TrainingTable | None
) -> tuple[tuple[ValuesSeen, ...] | None, str]:
    """Every input's values beside training's, or why they cannot be: inputs that are no column are passed over."""
    if table is None or table.fault:
        return None, table.fault if table is not None else said("the treatment's version")
    mine = [one for one in inputs if one.name in table.columns]
    try:
        categories = {one.name: _trained_categories(table, one.name) for one in mine if one.type == "category"}
        numbers = {one.name: _trained_numbers(table, one.name) for one in mine if one.type == "number"}
        # Of a column that held nothing in training, nothing is known that its values could be held against.
        found = [_category(exposures, name, categories) for name, one in categories.items() if one.shares]
        found += [_number(exposures, table, name, numbers) for name, one in numbers.items() if one.edges]
    except TasukiError as error:
        return None, error.what
    return tuple(found), "" if found else f"any input that table {table.training['table']} has"


def _category(exposures: "Exposures", name: str, known: Mapping[str, _Categories]) -> ValuesSeen:
    counts = _logged_categories(exposures, name)
    total = sum(counts.values())
    if not total:
        return ValuesSeen(name, 0, 0.0)
    mine = known[name]
    index, unknown = mine.index(counts), mine.unknown(counts)
    top = max(counts, key=lambda one: counts[one])
    others = {one: other for one, other in known.items() if one != name}
    is_suspect = index > _SUSPECT_INDEX or unknown > 1 - _KNOWN
    alike = [one for one, other in others.items() if is_suspect and _fits(other, counts, index, unknown)]
    return ValuesSeen(
        name, total, index, unknown, top, counts[top] / total, mine.shares.get(top, 0.0),
        alike[0] if alike else "", _is_relabelled(counts, mine, unknown),
    )  # fmt: skip


def _fits(other: _Categories, counts: Mapping[str, int], index: float, unknown: float) -> bool:
    """Whether the values are another input's: known there, and closer to its shares."""
    strange = other.unknown(counts)
    return strange < 1 - _KNOWN and other.index(counts) < index and (strange < unknown or unknown == 0)


def _is_relabelled(counts: Mapping[str, int], mine: _Categories, unknown: float) -> bool:
    """Whether the shares alone, without their names, are those of training."""
    if len(counts) < 3 or unknown > 1 - _KNOWN:
        return False
    expected = sorted(mine.shares.values(), reverse=True)[:_CATEGORIES]
    seen = sorted(counts.values(), reverse=True)[: len(expected)]
    seen += [0] * (len(expected) - len(seen))
    total = sum(expected)
    return population_stability(seen, [one / total for one in expected]) < _SAME_INDEX


def _logged_categories(exposures: "Exposures", name: str) -> dict[str, int]:
    from sqlglot import exp

    raw = exp.Anonymous(this="json_extract", expressions=[exp.column("features"), path_of(name)])
    kind = exp.Anonymous(this="json_type", expressions=[exp.column("features"), path_of(name)])
    text = exp.cast(raw, exp.DType.TEXT)
    most = exp.Literal.number(_MOST_VALUES)
    rows = exposures.rows(_LOGGED_RAW + " order by n desc, value limit :most", value=text, kind=kind, most=most)
    counts: dict[str, int] = {}
    for row in rows:
        written = _text(name, json.loads(row["value"]))
        counts[written] = counts.get(written, 0) + row["n"]
    return counts


def _text(name: str, value: object) -> str:
    try:
        return category_text(name, value, True)
    except WrongValue:
        return str(value)


def _trained_categories(table: TrainingTable, name: str) -> _Categories:
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    columns = [exp.alias_(quoted(name), "value"), exp.alias_(exp.Count(this=exp.Star()), "n")]
    rows = table.rows(columns, f" group by all order by 2 desc limit {_MOST_VALUES}")
    counts: dict[str, int] = {}
    for row in rows:
        if row["value"] is not None:
            written = _text(name, row["value"])
            counts[written] = counts.get(written, 0) + row["n"]
    total = sum(counts.values())
    return _Categories({one: n / total for one, n in counts.items()} if total else {}, len(rows) < _MOST_VALUES)


def _trained_numbers(table: TrainingTable, name: str) -> _Numbers:
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    number = exp.cast(quoted(name), exp.DType.DOUBLE)
    at = [exp.Literal.number(part / _BINS) for part in range(1, _BINS)]
    quantiles = exp.Anonymous(this="quantile_cont", expressions=[number, exp.Array(expressions=at)])
    found = table.rows([exp.alias_(quantiles, "edges")])[0]["edges"] or []
    edges = tuple(sorted({float(one) for one in found}))
    if not edges:
        return _Numbers((), ())
    row = table.rows(_bin_counts(number, edges))[0]
    counts = _bins(row)
    total = sum(counts)
    return _Numbers(edges, tuple(count / total for count in counts))


def _bin_counts(number: "exp.Expr", edges: Sequence[float]) -> "list[exp.Expr]":
    """For the least and every edge, how many values reach it: a value on an edge lies above."""
    from sqlglot import exp

    reached: list[exp.Expr] = [exp.not_(exp.Is(this=number.copy(), expression=exp.Null()))]
    reached += [exp.GTE(this=number.copy(), expression=exp.Literal.number(repr(edge))) for edge in edges]
    return [exp.alias_(exp.CountIf(this=one), f"b{place}") for place, one in enumerate(reached)]


def _bins(row: Mapping[str, Any]) -> tuple[int, ...]:
    # A count of nothing but nulls is null.
    reached = [*(count or 0 for count in row.values()), 0]
    return tuple(above - below for above, below in pairwise(reached))


def _number(exposures: "Exposures", table: TrainingTable, name: str, known: Mapping[str, _Numbers]) -> ValuesSeen:
    from sqlglot import exp

    value = exp.TryCast(this=logged_value(name), to=exp.DataType.build("double"))
    mine = known[name]
    counts = _logged_bins(exposures, value, mine)
    total = sum(counts)
    if not total:
        return ValuesSeen(name, 0, 0.0)
    index = population_stability(counts, mine.shares)
    alike = ""
    if index > _SUSPECT_INDEX:
        others = {one: other for one, other in known.items() if one != name and other.edges}
        indices = {one: _index_of(exposures, value, other) for one, other in others.items()}
        alike = min((one for one in indices if indices[one] < _SAME_INDEX), key=lambda one: indices[one], default="")
    top, share, expected = _top_number(exposures, table, name)
    return ValuesSeen(name, total, index, 0.0, top, share / total, expected, alike)


def _logged_bins(exposures: "Exposures", value: "exp.Expr", known: _Numbers) -> tuple[int, ...]:
    if not known.edges:
        return ()
    row = exposures.rows("select * from checked_exposures", _bin_counts(value, known.edges))[0]
    return _bins(row)


def _index_of(exposures: "Exposures", value: "exp.Expr", other: _Numbers) -> float:
    return population_stability(_logged_bins(exposures, value, other), other.shares)


def _top_number(exposures: "Exposures", table: TrainingTable, name: str) -> tuple[str, int, float]:
    """The most frequent logged number, how often it is there, and its share in training."""
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    value = exp.TryCast(this=logged_value(name), to=exp.DataType.build("double"))
    sql = "select count(*) as n, :value as value from checked_exposures where :value is not null group by all"
    row = exposures.rows(sql + " order by n desc, value limit 1", value=value)[0]
    number = exp.cast(quoted(name), exp.DType.DOUBLE)
    same = exp.CountIf(this=exp.EQ(this=number, expression=exp.Literal.number(repr(row["value"]))))
    columns: list[exp.Expr] = [exp.alias_(same, "same"), exp.alias_(exp.Count(this=quoted(name)), "n")]
    trained = table.rows(columns)[0]
    return f"{row['value']:g}", row["n"], trained["same"] / trained["n"] if trained["n"] else 0.0
