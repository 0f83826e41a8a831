"""One property over all that can be asked: the slow oracle, DuckDB and Spark agree to 1e-9, p-values included.

Values lie on a grid whose scale is drawn, from 10⁻⁹ to 10⁹, so that nothing hides below an absolute tolerance. Where
one is needed all the same it is a share of the deviation: a mean, a covariance or an effect can be exactly 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf, nan, sqrt
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import Question, Row, answer, farthest_pull, in_window

from tasuki.actions.measure import Asked, measure
from tasuki.errors import Invalid
from tasuki.experiments.compare import compare_arms
from tasuki.experiments.comparison import Result
from tasuki.experiments.design import Design
from tasuki.experiments.outliers import CARRIES, LEAST_UNITS
from tasuki.metrics.bound import BoundMetric
from tasuki.metrics.farthest import pulled_pair
from tasuki.metrics.metric import Cap, Covariate, Metric, Winsor
from tasuki.metrics.statistics import Cell, Statistics
from tasuki.metrics.window import Window
from tasuki.warehouse import open_engine, source_of

SAME = 1e-9
MOST_EXPLAINED = 0.999
"""With few units covariates explain nearly all: a difference in the last bit is then thousands of bits of the rest."""

START = datetime(2026, 1, 1)


@dataclass(frozen=True)
class Kind:
    """A kind of column: its values, its type, and how a value is called as an arm or a segment."""

    values: tuple[Any, ...]
    type: pa.DataType


TEXTS = Kind(("control", "treatment", "第三", "", 'd "x"', None), pa.string())
TRUTHS = Kind((True, False, None), pa.bool_())
WHOLE = Kind((0, 1, 2, 10, None), pa.int64())
FRACTIONS = Kind((0.0, 1.0, 2.0, None), pa.float64())
UNIT_TEXTS = Kind((*(f"u{k}" for k in range(40)), "", None), pa.string())
UNIT_NUMBERS = Kind((*range(-3, 40), None), pa.int64())


@dataclass(frozen=True)
class Drawn:
    """A table and a question about it."""

    rows: list[Row]
    schema: pa.Schema
    metrics: tuple[Metric, ...]
    asked: Question
    window: Window | None


def called(value: Any) -> str | None:
    """How an arm or a segment is called."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


@st.composite
def tables(draw: st.DrawFn, arms: Kind, units: Kind, scale: float, key: str) -> list[Row]:
    """Rows of events; the arm is mostly the same for all of what was randomised, the covariate for all of a unit."""
    # Hypothesis draws the question; values of its own would mostly be alike, and most variances 0.
    random = Random(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from([2, 12, 60, 150, 150]))
    mine = random.sample(arms.values, min(len(arms.values), random.choice([2, 3, 4])))
    placed = {unit: random.choice(mine) for unit in units.values}
    ages, before = ({unit: random.choice([None, *range(1, 60)]) for unit in units.values} for _ in range(2))
    rows: list[Row] = []
    for _ in range(size):
        one = {"unit": random.choice(units.values), "team": random.choice(units.values[-16:])}
        is_odd, is_stray = random.random() < 0.03, random.random() < 0.01
        rows.append(
            {
                **one,
                "arm": random.choice(mine) if is_stray else placed[one[key]],
                "spent": random.choice([None, nan, inf, -inf]) if is_odd else random.randint(1, 400) / 8 * scale,
                "views": None if random.random() < 0.1 else random.randint(0, 9),
                "age": ages[one["unit"]],
                "before": before[one["unit"]],
                "clicked": random.random() < 0.5,
                "app": random.choice(["news", "games", None]),
                "at": None if random.random() < 0.1 else START + timedelta(minutes=random.randint(0, 4000)),
            }
        )
    return rows


def caps(scale: float) -> st.SearchStrategy[Winsor | None]:
    low = st.sampled_from([None, Cap(2 * scale), Cap(0.25, is_quantile=True)])
    high = st.sampled_from([None, Cap(30 * scale), Cap(0.75, is_quantile=True)])
    return st.builds(lambda a, b: None if a is None and b is None else Winsor(a, b), low, high)


FILTERS = st.sampled_from([None, "clicked", "views > 3", "app = 'news' and not clicked", "spent is null"])
NUMBERS = st.sampled_from(["spent", "views", "spent * views", "spent * 3", "coalesce(views, 3)"])


@st.composite
def questions(draw: st.DrawFn) -> Drawn:
    arms, units = (
        draw(st.sampled_from([TEXTS, TRUTHS, WHOLE, FRACTIONS])),
        draw(st.sampled_from([UNIT_TEXTS, UNIT_NUMBERS])),
    )
    scale = 2.0 ** draw(st.integers(-30, 30))
    unit, cluster = draw(st.sampled_from([(None, None), ("unit", None), ("unit", "team"), (None, "team")]))
    covariates = draw(st.sampled_from([("age",), ("age", "coalesce(before, 7)")]))
    metrics = [
        Metric("mean", "mean", "spent", filter=draw(FILTERS), winsor=draw(caps(scale))),
        Metric("ratio", "ratio", draw(NUMBERS), "coalesce(views, 3)", filter=draw(FILTERS), winsor=draw(caps(scale))),
        Metric("share", "proportion", "clicked", filter=draw(FILTERS)),
        Metric("adjusted", "mean", draw(NUMBERS), covariates=tuple(map(Covariate, covariates))),
    ]
    if cluster is None:
        metrics.append(Metric("middle", "quantile", draw(NUMBERS), quantile=draw(st.sampled_from([0.1, 0.5, 0.9]))))
    window = None
    if unit is not None and draw(st.booleans()):
        window = Window("at", draw(st.sampled_from([1.0, 24.0, 36.5])))
    schema = pa.schema(
        {"arm": arms.type, "unit": units.type, "team": units.type, "spent": pa.float64(), "views": pa.int64(),
         "age": pa.int64(), "before": pa.int64(), "clicked": pa.bool_(), "app": pa.string(), "at": pa.timestamp("us")}
    )  # fmt: skip
    asked = Question("arm", unit, draw(st.sampled_from([None, "app"])), cluster, "present" if window else None)
    return Drawn(draw(tables(arms, units, scale, cluster or "unit")), schema, tuple(metrics), asked, window)


def counted(drawn: Drawn, engine: str) -> tuple[Statistics, tuple[BoundMetric, ...]] | None:
    """What an engine says; None where it says that nothing is left to compare."""
    warehouse = open_engine(engine)
    question = drawn.asked
    segments = (question.segment,) if question.segment else ()
    asked = Asked("arm", question.unit, segments, drawn.metrics, cluster=question.cluster, window=drawn.window)
    try:
        source = source_of(pa.Table.from_pylist(drawn.rows, schema=drawn.schema))
        return measure(warehouse, warehouse.table(source), warehouse.columns(source), asked, 0.05)
    except Invalid as refusal:
        if any(one in str(refusal) for one in ("no row to compare", "more than one arm")):
            return None
        raise
    finally:
        warehouse.close()


def assert_cell(found: Cell, right: Cell) -> None:
    assert found.units == right.units
    for one, judge in zip(found.samples, right.samples, strict=True):
        assert (one.moments.n, one.lost, one.held) == (judge.moments.n, judge.lost, judge.held)
        if not judge.moments.n:
            continue
        spread = [sqrt(judge.moments.covariances[j][j]) for j in range(len(judge.moments.means))]
        for j, mean in enumerate(judge.moments.means):
            assert one.moments.means[j] == pytest.approx(mean, rel=SAME, abs=SAME * spread[j])
            for k, value in enumerate(judge.moments.covariances[j]):
                assert one.moments.covariances[j][k] == pytest.approx(value, rel=SAME, abs=SAME * spread[j] * spread[k])
        if judge.quantiles is not None:
            assert one.quantiles == pytest.approx(judge.quantiles, rel=SAME, abs=0)


def assert_farthest(found: Cell, right: Cell, metrics: Sequence[BoundMetric]) -> None:
    """The unit that was looked for is the farthest; where none was, no unit left out moves the ratio much."""
    for one, judge, bound in zip(found.samples, right.samples, metrics, strict=True):
        pair = pulled_pair(bound)
        if pair is None or judge.moments.n < LEAST_UNITS or not judge.moments.means[pair[1]]:
            continue
        over, under = ([row[j] for row in judge.values or ()] for j in pair)
        ratio = judge.moments.means[pair[0]] / judge.moments.means[pair[1]]
        size = max(map(abs, over)) + abs(ratio) * max(map(abs, under))
        if one.farthest is not None:
            pulled = abs(one.farthest[0] - ratio * one.farthest[1])
            assert pulled == pytest.approx(farthest_pull(judge, *pair), rel=SAME, abs=SAME * size)
            continue
        error = sqrt(judge.moments.ratios([pair]).covariances[0][0] / judge.moments.n)
        for x, y in zip(over, under, strict=True):
            # Multiplied out: a unit that has the whole denominator leaves no ratio behind, and must not pull then.
            most = CARRIES * error * abs(sum(under) - y)
            assert abs(x - ratio * y) <= most * (1 + 1e-6) + SAME * size


def assert_close(found: float | None, right: float | None, apart: float = 0.0) -> None:
    assert found == (None if right is None else pytest.approx(right, rel=SAME, abs=apart))


def assert_result(found: Result, right: Result) -> None:
    assert (found.metric, found.segment, found.method) == (right.metric, right.segment, right.method)
    error = right.standard_error or 0.0
    for name in ("control", "treatment"):
        assert_close(getattr(found, name), getattr(right, name), SAME * error)
    size = abs(right.control or 0) + abs(right.treatment or 0)
    if error < 1e-6 * size or (right.variance_reduction or 0) > MOST_EXPLAINED:
        # What is left of the variance is the rounding of its parts.
        assert (found.standard_error or 0.0) <= 1e-3 * max(size, error)
        return
    for name in ("effect", "effect_low", "effect_high"):
        assert_close(getattr(found, name), getattr(right, name), SAME * error)
    assert_close(found.p_value, right.p_value)
    assert_close(found.standard_error, right.standard_error)


def compared(cells: Sequence[Cell], bound: tuple[BoundMetric, ...]) -> tuple[Result, ...]:
    arms = [cell.arm for cell in cells if cell.segment is None]
    # The oracle tells every unit's values, which would be drawn from.
    cells = [replace(cell, samples=tuple(replace(one, values=None) for one in cell.samples)) for cell in cells]
    return compare_arms(Statistics(tuple(cells)), bound, Design(control=arms[0])).results if len(arms) > 1 else ()


def assert_agrees(drawn: Drawn, engine: str) -> None:
    seen = drawn.rows
    if drawn.window:
        key = drawn.asked.cluster or drawn.asked.unit or ""
        seen = in_window(seen, key, drawn.window.time, drawn.window.hours)
    seen = [{**row, "arm": called(row["arm"])} for row in seen]
    answered = counted(drawn, engine)
    if answered is None:
        assert not answer(seen, (), drawn.asked)[0]
        return
    statistics, bound = answered
    right, several, nameless = answer(seen, bound, drawn.asked)
    found: Mapping[Any, Cell] = {(cell.arm, cell.segment): cell for cell in statistics.cells}
    assert set(found) == set(right)
    assert (statistics.units_in_several_arms, statistics.units_without_arm) == (several, nameless)
    for place, cell in found.items():
        assert_cell(cell, right[place])
        if cell.segment is None:
            assert_farthest(cell, right[place], bound)
    results = compared(statistics.cells, bound)
    judged = compared([right[cell.arm, cell.segment] for cell in statistics.cells], bound)
    for one, judge in zip(results, judged, strict=True):
        assert_result(one, judge)


RUNS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Each example asks Spark some twenty queries: shrinking a failure would take minutes.
FEW = settings(RUNS, max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@settings(RUNS, max_examples=60)
@given(questions())
def test_duckdb_and_the_oracle(drawn: Drawn) -> None:
    assert_agrees(drawn, "duckdb")


@FEW
@given(questions())
def test_spark_and_the_oracle(spark: str, drawn: Drawn) -> None:
    assert_agrees(drawn, spark)
