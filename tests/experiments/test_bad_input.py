"""Bad input, case by case and engine by engine: a clear error, or a named concern beside numbers that are right.

Whatever number is told is held against a count by hand over the values that the case says are usable.
"""

import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists

from tasuki.actions.compare import compare
from tasuki.cli.main import main
from tasuki.errors import Invalid
from tasuki.experiments.compare import compare_arms
from tasuki.experiments.design import Design
from tasuki.metrics.bound import bind_all
from tasuki.metrics.metric import Metric
from tasuki.metrics.statistics import Cell, Sample, Statistics
from tasuki.stats.bootstrap import skewness_of_difference
from tasuki.stats.moments import Moments

N = 120
ARMS = ["a", "b"] * (N // 2)
X = [float(k * k % 7) for k in range(N)]
UNITS = [f"u{k}" for k in range(N)]


@dataclass(frozen=True)
class Case:
    """One kind of bad input.

    Args:
        given: A table, or the bytes of files by name (one file, or a folder of several).
        why: What the refusal says; empty where there is an answer.
        concerns: Codes that must be told beside the answer.
        usable: The values of `x` that count, by arm; None where only concerns are looked at.
        more: Options of the question.
    """

    given: pa.Table | Mapping[str, bytes]
    why: Sequence[str] = ()
    concerns: frozenset[str] = frozenset()
    usable: Mapping[str, Sequence[float]] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def table(**columns: Any) -> pa.Table:
    return pa.table({"arm": ARMS, "x": X, **columns})


def by_arm(arms: Sequence[str | None], values: Sequence[Any]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for arm, value in zip(arms, values, strict=True):
        if arm is not None and value is not None:
            found.setdefault(arm, []).append(value)
    return found


def csv(values: Sequence[Any], header: str = "arm,x", arms: Sequence[Any] = ARMS) -> bytes:
    rows = "".join(f"{arm},{value}\n" for arm, value in zip(arms, values, strict=True))
    return f"{header}\n{rows}".encode()


def parquet(columns: Mapping[str, Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), sink)
    return sink.getvalue()


def polars_parquet(columns: Mapping[str, Any]) -> bytes:
    sink = io.BytesIO()
    pl.DataFrame(dict(columns)).write_parquet(sink)
    return sink.getvalue()


WHOLE = parquet({"arm": ARMS, "x": X})
ARCHIVE = gzip.compress(csv([hash((k, "x")) % 10**9 for k in range(N)] * 50, arms=ARMS * 50))
HOLES = [nan if k % 20 == 0 else inf if k % 20 == 1 else -inf if k % 20 == 2 else X[k] for k in range(N)]
ONLY_NAN = [nan if k % 20 == 0 else X[k] for k in range(N)]
FILLED = [None if k % 20 < 3 else X[k] for k in range(N)]
THREE = ["2026-01-02", "02/01/2026", "2 Jan 2026"] * (N // 3)
NEXT = ["a", "b", None, ""] * (N // 4)
FOUR = ["1", "2"] * (N // 2)
HUGE = [2**63 + k * 2**53 for k in range(N)]

CASES: dict[str, Case] = {
    "40,000 arms": Case(
        pa.table({"arm": [f"v{k}" for k in range(40_000)], "x": [1.0] * 40_000}), ("40,000 values", "at most 20 arms")
    ),
    "arms that are null": Case(table(arm=["a", "b", None] * (N // 3)), (), frozenset({"no_arm"}),
                               by_arm(["a", "b", None] * (N // 3), X)),
    "all arms null": Case(table(arm=pa.nulls(N, pa.string())), ("120 unit(s) have no arm",)),
    "an arm that is empty text": Case(table(arm=NEXT), (), frozenset({"no_arm"}), by_arm(NEXT, X)),
    "NaN and infinity": Case(table(x=HOLES), (), frozenset({"not_finite", "values_missing"}), by_arm(ARMS, FILLED)),
    "NaN and infinity in text": Case({"a.csv": csv(HOLES)}, (), frozenset({"not_finite", "values_missing"}),
                                     by_arm(ARMS, FILLED)),
    # Without an infinity beside it NaN is in no least or largest value that a Parquet file tells of itself.
    "NaN alone in Parquet": Case({"a.parquet": parquet({"arm": ARMS, "x": ONLY_NAN})}, (),
                                 frozenset({"not_finite", "values_missing"}),
                                 by_arm(ARMS, [None if k % 20 == 0 else X[k] for k in range(N)])),
    "NaN alone in Parquet by Polars": Case({"a.parquet": polars_parquet({"arm": ARMS, "x": ONLY_NAN})}, (),
                                           frozenset({"not_finite", "values_missing"}),
                                           by_arm(ARMS, [None if k % 20 == 0 else X[k] for k in range(N)])),
    "nothing but NaN": Case(table(x=[nan] * N), (), frozenset({"not_finite"})),
    "one arm only": Case(table(arm=["a"] * N), ("only the arm 'a'", "at least two arms")),
    "no such control": Case(table(), ("no arm 'z'", "'a', 'b'"), more={"control": "z"}),
    "dates in three ways as the metric": Case({"a.csv": csv(THREE)}, ("'x' is VARCHAR, as '", "expected numbers")),
    "dates in three ways as the time": Case(
        {"a.csv": b"arm,u,x,at\n" + b"".join(f"{a},{k},1,{THREE[k]}\n".encode() for k, a in enumerate(ARMS))},
        ("'at' is VARCHAR", "moments, as 2026-01-31"), more={"unit": "u", "time": "at", "window_hours": 24.0},
    ),
    "dates in three ways as arms": Case({"a.csv": csv(X, arms=THREE)}, (), frozenset(), by_arm(THREE, X),
                                        {"control": "2026-01-02"}),
    "0 bytes": Case({"a.parquet": b""}, ("a.parquet is empty (0 bytes)",)),
    "half a Parquet": Case({"a.parquet": WHOLE[: len(WHOLE) // 2]}, ("a.parquet", "a whole file")),
    "Parquet without its end": Case({"a.parquet": WHOLE[:-5]}, ("a.parquet", "a whole file")),
    "CSV named Parquet": Case({"a.parquet": csv(X)}, ("a.parquet is no Parquet file",)),
    "a file of a folder is cut": Case({"d/1.parquet": WHOLE, "d/2.parquet": WHOLE[:-5]}, ("2.parquet", "a whole file")),
    "a file of a folder is empty": Case({"d/1.parquet": WHOLE, "d/2.parquet": b""}, ("2.parquet is empty",)),
    "a file lacks the metric": Case({"d/1.parquet": WHOLE, "d/2.parquet": parquet({"arm": ARMS})},
                                    ("1 of 2 files", "2.parquet: has no column 'x'")),
    "a file lacks the arm": Case({"d/1.parquet": WHOLE, "d/2.parquet": parquet({"x": X})},
                                 ("1 of 2 files", "2.parquet: has no column 'arm'")),
    "a file lacks a column nobody asks for": Case(
        {"d/1.parquet": WHOLE, "d/2.parquet": parquet({"arm": ARMS, "x": X, "y": X})}, (), frozenset(),
        by_arm(ARMS * 2, X * 2),
    ),
    "a file has text as the metric": Case({"d/1.parquet": WHOLE, "d/2.parquet": parquet({"arm": ARMS, "x": THREE})},
                                          ("'x' is VARCHAR, as '2", "expected numbers")),
    "a file has whole numbers": Case(
        {"d/1.parquet": WHOLE, "d/2.parquet": parquet({"arm": ARMS, "x": [int(v) for v in X]})}, (), frozenset(),
        by_arm(ARMS * 2, X * 2),
    ),
    "CSV with another header": Case({"d/1.csv": csv(X), "d/2.csv": csv(X, "arm,y")}, ("2.csv has another header",)),
    "no archive": Case({"a.csv.gz": csv(X)}, ("a.csv.gz is named .gz and is no gzip archive",)),
    "a cut-off archive": Case({"a.csv.gz": ARCHIVE[: len(ARCHIVE) * 2 // 3]}, ("a.csv.gz is a broken gzip archive",)),
    "an archive with a wrong checksum": Case({"a.csv.gz": ARCHIVE[:-8] + bytes(8)}, ("broken gzip archive", "CRC")),
    "UTF-16": Case({"a.csv": csv(X).decode().encode("utf-16")}, ("not text in UTF-8", "iconv -f UTF-16")),
    "Shift_JIS": Case({"a.csv": csv(X, "arm,売上").decode().encode("cp932")}, ("not text in UTF-8", "iconv -f CP932")),
    "a column twice": Case({"a.csv": csv([f"{v},1" for v in X], "arm,x,x")}, ("'x' is there 2 times",)),
    "a header and no rows": Case({"a.csv": b"arm,x\n"}, ("a header and no rows",)),
    "a value too many": Case({"a.csv": csv([*X[:-1], "1,2"])}, ("line 121", "has 3 values")),
    "all units null": Case(table(u=pa.nulls(N, pa.string())), ("unit is missing in 120 row(s)",), more={"unit": "u"}),
    "some units null": Case(table(u=[None, None, *UNITS[2:]]), (), frozenset({"no_unit"}), by_arm(ARMS[2:], X[2:]),
                            {"unit": "u"}),
    "the metric all null": Case(table(x=pa.nulls(N, pa.float64())), (), frozenset({"no_data"})),
    "the metric all null in CSV": Case({"a.csv": csv([""] * N)}, ("no row has a value", "expected numbers")),
    "text as the metric": Case(table(x=UNITS), ("'x' is VARCHAR, as 'u0'", "expected numbers")),
    "text in the last row": Case({"a.csv": csv([*(X * 300)[:-1], "oops"], arms=ARMS * 300)}, ("oops",)),
    "truths as on and off": Case({"a.csv": csv(["on" if v > 2 else "off" for v in X])}, ("x = 'on'",)),
    "lists as the metric": Case(table(x=[[v] for v in X]), ("'x' is ", "one number in each row")),
    "structs as the metric": Case(table(x=[{"v": v} for v in X]), ("'x' is STRUCT", "one number in each row")),
    "lists as arms": Case(table(arm=[[v] for v in X]), ("variant: 'arm' is ", "one value in each row")),
    "structs as arms": Case(table(arm=[{"v": v} for v in X]), ("variant: 'arm' is STRUCT", "one value in each row")),
    "arms that differ in case and spaces": Case(
        table(arm=["Control", "control ", "b"] * (N // 3)), ("'Control', 'control '", "--split"), more={"control": "b"}
    ),
    "arms as fractions and NaN": Case(
        pa.table({"arm": [nan if k % 3 == 2 else float(k % 3) for k in range(N)], "x": X}), (), frozenset({"no_arm"}),
        by_arm(["0", "1", None] * (N // 3), X), {"control": "0"},
    ),
    "arms as halves and infinity": Case(
        pa.table({"arm": [inf if k % 3 == 2 else k % 3 / 2 for k in range(N)], "x": X}), (), frozenset({"no_arm"}),
        by_arm(["0", "0.5", None] * (N // 3), X), {"control": "0"},
    ),
    "truths as t and f": Case({"a.csv": csv(["t" if v > 2 else "f" for v in X])}, (), frozenset(),
                              by_arm(ARMS, [float(v > 2) for v in X])),
    "truths as true and false": Case({"a.csv": csv([str(v > 2) for v in X])}, (), frozenset(),
                                     by_arm(ARMS, [float(v > 2) for v in X])),
    "thousands with a comma": Case({"a.csv": csv([f'"1,{int(v):03}"' for v in X])},
                                   ("as '1,000'", "expected numbers", "REPLACE(x, ',', '')")),
    "one thousand with a comma": Case({"a.csv": csv([*X[:-1], '"1,000"'])}, ("1,000",)),
    "commas as decimal points": Case({"a.csv": csv(X).replace(b",", b";").replace(b".", b",")},
                                     ("as '0,0'", "REPLACE(x, ',', '.')")),
    "arms as fractions": Case(pa.table({"arm": [float(one) for one in FOUR], "x": X}), (), frozenset(),
                              by_arm(FOUR, X), {"control": "1"}),
    "arms as 1 and 1.0 in one file": Case({"a.csv": csv(X, arms=["1", "1.0", "2", "2.0"] * (N // 4))}, (), frozenset(),
                                          by_arm(["1", "1", "2", "2"] * (N // 4), X), {"control": "1"}),
    "arms as minus zero": Case(pa.table({"arm": [-0.0, 1.0, 0.0, 1.0] * (N // 4), "x": X}), (), frozenset(),
                               by_arm(["0", "1"] * (N // 2), X), {"control": "0"}),
    "truths as arms": Case(pa.table({"arm": [one == "b" for one in ARMS], "x": X}), (), frozenset(),
                           by_arm(["true" if one == "b" else "false" for one in ARMS], X), {"control": "false"}),
    "decimals": Case(table(x=pa.array([Decimal(int(v)) / 4 for v in X], pa.decimal128(9, 2))), (), frozenset(),
                     by_arm(ARMS, [v / 4 for v in X])),
    "whole numbers beyond 2^63": Case(table(x=pa.array(HUGE, pa.uint64())), (), frozenset(), by_arm(ARMS, HUGE)),
    "whole numbers beyond 2^63 in CSV": Case({"a.csv": csv(HUGE)}, (), frozenset(), by_arm(ARMS, HUGE)),
    "deviations whose squares overflow": Case(table(x=[v * 1e200 for v in X]), ("too large", "NULLIF", "1e60")),
    "deviations whose cubes overflow": Case(table(x=[v * 1e120 for v in X]), ("too large", "NULLIF")),
    "deviations whose squares vanish": Case(table(x=[v * 1e-200 for v in X]), ("too small", "larger unit")),
    "one sentinel of 1e120": Case(table(x=[1e120, *X[1:]]), ("too large", "NULLIF", "'a'")),
    "one sentinel, the largest number": Case(table(x=[1.7976931348623157e308, *X[1:]]), ("too large", "NULLIF")),
    "large, and small enough": Case(table(x=[v * 1e58 for v in X]), (), frozenset(),
                                    by_arm(ARMS, [v * 1e58 for v in X])),
    "minus zero": Case(table(x=[-0.0 if v == 0 else v for v in X]), (), frozenset(), by_arm(ARMS, X)),
    "nothing but zero": Case(table(x=[-0.0, 0.0] * (N // 2)), (), frozenset({"no_events"})),
    "moments of two time zones": Case(
        {"a.csv": b"arm,x,u,at\n" + b"".join(
            # The second event of a unit is 23 hours after the first, whatever its clock shows.
            f"{a},{X[k]},{k},2026-01-02T12:00:00+09:00\n{a},1,{k},2026-01-03T02:00:00Z\n".encode()
            for k, a in enumerate(ARMS)
        )},
        (), frozenset(), by_arm(ARMS, [v + 1 for v in X]), {"unit": "u", "time": "at", "window_hours": 24.0},
    ),
}  # fmt: skip


def put(case: Case, folder: Path) -> Path:
    """The case as a file, or as a folder of several."""
    if isinstance(case.given, pa.Table):
        pq.write_table(case.given, folder / "a.parquet")
        return folder / "a.parquet"
    for name, content in case.given.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / next(iter(case.given)).split("/")[0]


def told(case: Case, path: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command says: a document, or its error after its exit code."""
    asked = {"control": "a", **case.more}
    line = ["compare", str(path), "--variant", "arm", "--mean", "x", "--engine", engine, "--json"]
    line += [part for name, value in asked.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    code = main(line)
    out, error = capsys.readouterr()
    assert "Traceback" not in error
    return json.loads(out) if code == 0 else (code, error)


def judged(usable: Mapping[str, Sequence[float]], control: str) -> list[dict[str, Any]]:
    """The results over these values, their moments in fractions."""
    cells = []
    for arm, values in usable.items():
        exact = [Fraction(value) for value in values]
        mean = sum(exact) / len(exact)
        variance = sum((one - mean) ** 2 for one in exact) / (len(exact) - 1)
        moments = Moments(len(exact), (float(mean),), ((float(variance),),))
        cells.append(Cell(arm, None, len(exact), (Sample(moments, values=tuple((float(v),) for v in values)),)))
    bound = bind_all((Metric("x", "mean", "x"),), {"x": "DOUBLE"}, [])
    return json.loads(compare_arms(Statistics(tuple(cells)), bound, Design(control=control)).to_json())["results"]


def assert_right(case: Case, found: Mapping[str, Any]) -> None:
    assert case.concerns <= {one["code"] for one in found["concerns"]}
    if case.usable is None:
        assert [one["p_value"] for one in found["results"]] == [None]
        return
    judge = {one["treatment_arm"]: one for one in judged(case.usable, case.more.get("control", "a"))}
    assert {one["treatment_arm"] for one in found["results"]} == set(judge)
    for one in found["results"]:
        right = judge[one["treatment_arm"]]
        assert (one["n_control"], one["n_treatment"]) == (right["n_control"], right["n_treatment"])
        for name in ("control", "treatment", "effect", "effect_low", "effect_high", "p_value"):
            assert one[name] == pytest.approx(right[name], rel=1e-9), name


def assert_as_expected(case: Case, found: Any) -> None:
    if not case.why:
        assert isinstance(found, dict), found
        assert_right(case, found)
        return
    assert isinstance(found, tuple), found
    code, error = found
    assert code == 3
    assert all(part in error for part in case.why), error
    assert "Next:" in error


@pytest.mark.parametrize("name", CASES)
def test_a_file_in_duckdb(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_as_expected(CASES[name], told(CASES[name], put(CASES[name], tmp_path), "duckdb", capsys))


OF_SPARK = [
    name for name, one in CASES.items()
    # Files that cannot be read are refused before Spark is asked, by what reads headers for both.
    if not one.why or isinstance(one.given, pa.Table) or "'x'" in one.why[-1] or "oops" in one.why
]  # fmt: skip


@pytest.mark.parametrize("name", OF_SPARK)
def test_a_file_in_spark(spark: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert_as_expected(CASES[name], told(CASES[name], put(CASES[name], tmp_path), spark, capsys))


@pytest.mark.parametrize("kind", ["relation", "arrow", "pandas"])
@pytest.mark.parametrize("name", [name for name, one in CASES.items() if isinstance(one.given, pa.Table)])
def test_a_frame(name: str, kind: str) -> None:
    case = CASES[name]
    assert isinstance(case.given, pa.Table)
    frames: dict[str, Callable[[pa.Table], Any]] = {
        "relation": lambda one: duckdb.connect().from_arrow(one), "arrow": lambda one: one,
        "pandas": lambda one: one.to_pandas(),
    }  # fmt: skip
    asked: dict[str, Any] = {"variant": "arm", "means": ["x"], "control": "a", **case.more}
    if case.why:
        with pytest.raises(Invalid) as raised:
            compare(frames[kind](case.given), **asked)
        assert all(part in str(raised.value) for part in case.why)
        return
    found = compare(frames[kind](case.given), **asked)
    if kind == "pandas":
        # pandas knows no difference between NaN and null.
        case = replace(case, concerns=case.concerns - {"not_finite"})
    assert_as_expected(case, json.loads(found.to_json()))


def test_a_variance_below_zero_is_refused() -> None:
    cells = tuple(Cell(arm, None, 50, (Sample(Moments(50, (1.0,), ((spread,),))),))
                  for arm, spread in (("a", -1e-3), ("b", 2.0)))  # fmt: skip
    bound = bind_all((Metric("x", "mean", "x"),), {"x": "DOUBLE"}, [])
    with pytest.raises(Invalid, match=r"variance in 'a' is -0\.001"):
        compare_arms(Statistics(cells), bound, Design(control="a"))


@pytest.mark.parametrize("scale", [1e160, 1e-200])
def test_a_quantile_that_cannot_be_squared_is_refused(scale: float) -> None:
    with pytest.raises(Invalid, match="too large or too small"):
        compare(table(x=[(v + 1) * scale for v in X]), variant="arm", quantiles=[("x", 0.5)])


def test_a_sentinel_may_be_capped() -> None:
    found = compare(table(x=[1e120, *X[1:]]), variant="arm", means=["x"], winsor={"x": "0:6"})
    assert found.results[0].control == pytest.approx((sum(X[2::2]) + 6) / (N // 2))


@given(
    lists(floats(-10, 10), min_size=3, max_size=20), lists(floats(-10, 10), min_size=3, max_size=20),
    integers(-250, 250),
)  # fmt: skip
def test_skewness_has_no_unit(control: list[float], treatment: list[float], power: int) -> None:
    plain = skewness_of_difference(control, treatment)
    scaled = skewness_of_difference([v * 2.0**power for v in control], [v * 2.0**power for v in treatment])
    assert scaled == pytest.approx(plain, rel=1e-9, abs=1e-12)


def test_what_a_hint_says_to_write_works(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv([f'"1,{int(v):03}"' for v in X]))
    (tmp_path / "b.csv").write_bytes(csv(["on" if v > 2 else "off" for v in X]))
    thousands = compare(tmp_path / "a.csv", variant="arm", means=["CAST(REPLACE(x, ',', '') AS DOUBLE)"])
    assert thousands.results[0].control == pytest.approx(1000 + sum(X[::2]) / (N // 2))
    truths = compare(tmp_path / "b.csv", variant="arm", proportions=["x = 'on'"])
    assert truths.results[0].control == pytest.approx(sum(v > 2 for v in X[::2]) / (N // 2))


def test_arms_that_differ_in_case_are_compared_where_the_split_names_both() -> None:
    data = table(arm=["A", "a"] * (N // 2))
    with pytest.raises(Invalid, match="several ways"):
        compare(data, variant="arm", means=["x"])
    found = compare(data, variant="arm", means=["x"], split={"A": 0.5, "a": 0.5})
    assert {one.name for one in found.arms} == {"A", "a"}


def test_ratios_and_quantiles_are_taken_as_pairs_and_as_texts() -> None:
    data = table(y=[v + 1 for v in X])
    pairs = compare(data, variant="arm", ratios=[("x", "y")], quantiles=[("x", 0.5)])
    texts = compare(data, variant="arm", ratios=["x/y"], quantiles=["x@0.5"])
    assert pairs.results == texts.results
    with pytest.raises(Invalid, match=r"'x' is no ratio.*NUM/DEN[\s\S]*'y' is no quantile.*COL@Q"):
        compare(data, variant="arm", ratios=["x"], quantiles=["y"])


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"segments": ["u"]}, "'u' has 120 values .expected at most 50"),
        ({"segments": ["lists"]}, r"segment: 'lists' is .* .expected one value in each row"),
        ({"margins": {"x": "200%"}}, "'200%' is more than all of it .expected a share of at most 100%"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(more: Mapping[str, Any], why: str) -> None:
    with pytest.raises(Invalid, match=why):
        compare(table(u=UNITS, lists=[[v] for v in X]), variant="arm", means=["x"], **more)
