"""The warehouse reads what people have, and says clearly what it cannot read."""

import gzip
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from sqlglot import exp

from tasuki.errors import Invalid, Missing
from tasuki.warehouse import Warehouse, source_of

ROWS = {"名前": ["葵", None, "陽"], 'a "quoted" one': [1.5, 2.5, None], "n": [3, 4, 5]}
TEXT = '名前,"a ""quoted"" one",n\n葵,1.5,3\n,2.5,4\n陽,,5\n'


@pytest.fixture
def warehouse() -> Warehouse:
    return Warehouse()


def given(tmp_path: Path, kind: str) -> Any:
    frame = pl.DataFrame(ROWS)
    match kind:
        case "csv":
            (tmp_path / "it's [1].csv").write_text(TEXT, encoding="utf-8")
            return tmp_path / "it's [1].csv"
        case "gz":
            (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TEXT.encode("utf-8-sig")))
            return str(tmp_path / "a.csv.gz")
        case "crlf":
            (tmp_path / "a.csv").write_bytes(TEXT.replace("\n", "\r\n").encode())
            return tmp_path / "a.csv"
        case "parquet":
            frame.write_parquet(tmp_path / "it's.parquet")
            return tmp_path / "it's.parquet"
        case "folder" | "glob":
            (tmp_path / "part").mkdir()
            frame[:2].write_parquet(tmp_path / "part" / "0.parquet")
            frame[2:].write_parquet(tmp_path / "part" / "1.parquet")
            return tmp_path / "part" / ("*.parquet" if kind == "glob" else "")
        case "pandas":
            return pytest.importorskip("pandas", reason="pandas is not installed").DataFrame(ROWS)
        case "polars":
            return frame
        case "lazy":
            return frame.lazy()
        case "arrow":
            return pa.table(ROWS)
        case "relation":
            connection = duckdb.connect()
            connection.register("frame", frame)
            return connection.sql("select * from frame")
    raise AssertionError(kind)


KINDS = ["csv", "gz", "crlf", "parquet", "folder", "glob", "pandas", "polars", "lazy", "arrow", "relation"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_gives_the_same_columns(tmp_path: Path, kind: str, warehouse: Warehouse) -> None:
    source = source_of(given(tmp_path, kind))
    assert list(warehouse.columns(source)) == list(ROWS)
    read = warehouse.read_columns(source, list(ROWS))
    assert read["名前"].tolist() == ["葵", None, "陽"]
    np.testing.assert_array_equal(read['a "quoted" one'], [1.5, 2.5, np.nan])
    assert read["n"].tolist() == [3, 4, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_answers_a_tree(tmp_path: Path, kind: str, warehouse: Warehouse) -> None:
    total = exp.select(exp.alias_(exp.Sum(this=exp.column("n", quoted=True)), "total"))
    tree = total.from_(warehouse.table(source_of(given(tmp_path, kind))))
    assert warehouse.rows(tree) == [{"total": 12}]
    assert warehouse.fetch(tree).to_pydict() == {"total": [12]}


def test_order_by_orders_and_types_keep(warehouse: Warehouse) -> None:
    data = pa.table({"t": [datetime(2026, 1, 2), datetime(2026, 1, 1), None], "b": [True, None, False]})
    read = warehouse.read_columns(source_of(data), ["t", "b"], order_by="t")
    assert read["t"].dtype.kind == "M"
    np.testing.assert_array_equal(read["b"], [np.nan, 1.0, 0.0])


def test_a_table_of_the_workspace_sees_files_that_come_later(tmp_path: Path) -> None:
    warehouse = Warehouse({"log": str(tmp_path / "*.parquet")})
    with pytest.raises(Missing, match="No files found"):
        warehouse.columns(source_of("log"))
    pl.DataFrame({"x": [1, 2]}).write_parquet(tmp_path / "0.parquet")
    assert warehouse.read_columns(source_of("log"), ["x"])["x"].tolist() == [1, 2]
    pl.DataFrame({"x": [3]}).write_parquet(tmp_path / "1.parquet")
    assert warehouse.read_columns(source_of("log"), ["x"])["x"].tolist() == [1, 2, 3]
    count = exp.select(exp.alias_(exp.Count(this=exp.Star()), "n")).from_("log")
    assert warehouse.rows(count) == [{"n": 3}]


def test_a_column_that_turns_fractional_late_is_read_whole(tmp_path: Path, warehouse: Warehouse) -> None:
    path = tmp_path / "late.csv"
    path.write_text("x\n" + "0\n" * 50_000 + "0.5\n")
    assert warehouse.read_columns(source_of(path), ["x"])["x"].sum() == 0.5
    other = Warehouse()
    total = exp.select(exp.alias_(exp.Sum(this=exp.column("x")), "total")).from_(other.table(source_of(path)))
    assert other.rows(total) == [{"total": 0.5}]


def test_a_moment_that_gets_its_hour_late_keeps_it(tmp_path: Path, warehouse: Warehouse) -> None:
    (tmp_path / "late.csv").write_text("t\n" + "2026-01-01\n" * 50_000 + "2026-01-01 05:00:00\n")
    read = warehouse.read_columns(source_of(tmp_path / "late.csv"), ["t"])
    assert read["t"].max() == np.datetime64("2026-01-01T05:00:00")


def test_a_column_that_turns_to_text_late_is_text(tmp_path: Path, warehouse: Warehouse) -> None:
    (tmp_path / "late.csv").write_text("arm\n" + "1\n" * 50_000 + "B\n")
    assert set(warehouse.read_columns(source_of(tmp_path / "late.csv"), ["arm"])["arm"]) == {"1", "B"}


def test_every_missing_column_is_named_with_the_closest(warehouse: Warehouse) -> None:
    with pytest.raises(Invalid) as caught:
        warehouse.read_columns(source_of(pa.table({"clicked": [1], "user": [2]})), ["click", "nothing", "user"])
    assert [fault.where for fault in caught.value.faults] == ["click", "nothing"]
    assert "'clicked'?" in str(caught.value)
    assert "one of clicked, user" in str(caught.value)


def test_a_missing_file_is_missing_and_the_closest_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("a\n1\n")
    with pytest.raises(Missing, match=r"did you mean .*results\.csv"):
        source_of(tmp_path / "result.csv")
    with pytest.raises(Missing, match="no folder"):
        source_of(tmp_path / "nowhere" / "result.csv")
    with pytest.raises(Missing, match="no file is found"):
        source_of(tmp_path / "*.parquet")


def test_an_unknown_table_is_missing_and_the_closest_is_named() -> None:
    with pytest.raises(Missing, match="did you mean 'impressions'"):
        Warehouse({"impressions": "x/*.parquet"}).columns(source_of("impression"))


BAD_FILES = {
    "empty.csv": (b"", "is empty"),
    "empty.parquet": (b"", "is empty"),
    "text.parquet": (b"a,b\n1,2\n", "no Parquet file"),
    "cut.parquet": (b"PAR1" + b"\0" * 40, "cannot|No magic"),
    "header.csv": (b"a,b\n", "a header and no rows"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "'a' is there 2 times"),
    "ragged.csv": (b"a,b\n1,2\n3,4,5\n", "line 3: has 3 values"),
    "short.csv": (b"a,b\n1,2\n3\n4,5\n", "line 3: has 1 values"),
    "shift_jis.csv": ("名前,b\n葵,2\n".encode("cp932"), "not text in UTF-8"),
    "late_shift_jis.csv": (b"a,b\n" + b"1,2\n" * 40_000 + "葵,2\n".encode("cp932"), "not text in UTF-8"),
    "garbage.csv": (bytes(range(256)) * 20, "UTF-8|cannot be read"),
    "broken.csv.gz": (gzip.compress(b"a,b\n1,2\n" * 9000)[:60], "broken gzip"),
    "late.csv.gz": (
        gzip.compress(bytes(str([*range(90_000)]), "ascii").replace(b", ", b",1\n"))[:-900],
        "broken gzip|whole",
    ),
    "plain.csv.gz": (b"a,b\n1,2\n", "is named .gz and is no gzip archive"),
    "book.xlsx": (b"PK\x03\x04 and so on", "Excel"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_read_is_invalid_and_says_why(tmp_path: Path, name: str, warehouse: Warehouse) -> None:
    content, why = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid, match=why) as caught:
        warehouse.read_columns(source_of(tmp_path / name), ["a", "b"])
    assert caught.value.expected
    assert caught.value.next_step


def test_a_late_ragged_row_is_named(tmp_path: Path, warehouse: Warehouse) -> None:
    (tmp_path / "late.csv").write_text("a,b\n" + "1,2\n" * 60_000 + "1,2,3\n")
    with pytest.raises(Invalid, match="line 60002: has 3 values"):
        warehouse.read_columns(source_of(tmp_path / "late.csv"), ["a"])


def test_comment_signs_and_blank_cells_are_data(tmp_path: Path, warehouse: Warehouse) -> None:
    (tmp_path / "a.csv").write_text('x,y\n"a,b",2\n#c,3\n"two\nlines",\n')
    read = warehouse.read_columns(source_of(tmp_path / "a.csv"), ["x", "y"])
    assert read["x"].tolist() == ["a,b", "#c", "two\nlines"]
    np.testing.assert_array_equal(read["y"], [2.0, 3.0, np.nan])


@pytest.mark.parametrize("separator", ["\t", ";", "|"])
def test_other_separators_are_recognised(tmp_path: Path, separator: str, warehouse: Warehouse) -> None:
    (tmp_path / "a.csv").write_text(f"x{separator}y\n1{separator}2\n")
    assert warehouse.columns(source_of(tmp_path / "a.csv")) == {"x": "BIGINT", "y": "BIGINT"}


def test_an_object_that_is_no_table_is_invalid() -> None:
    with pytest.raises(Invalid, match="cannot be read as a table"):
        source_of(3)


def test_a_folder_of_both_kinds_reads_its_parquet_and_skips_half_written_files(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "0.parquet")
    (tmp_path / ".1.parquet").write_bytes(b"half")
    (tmp_path / "notes.csv").write_text("y\n1\n")
    assert source_of(tmp_path).paths == (os.fspath(tmp_path / "0.parquet"),)
