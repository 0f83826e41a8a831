"""Sources as Spark's data frames, with the columns, types and nulls that DuckDB sees in them.

DuckDB looks at headers, footers and (for CSV) values, and says what the columns are; Spark reads the rows.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from tasuki.errors import Fault, Invalid, Unavailable, said
from tasuki.warehouse.csv_file import Header, read_header
from tasuki.warehouse.duckdb_engine import Warehouse
from tasuki.warehouse.engine import quoted
from tasuki.warehouse.source import Source, source_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SAME = {
    "BOOLEAN": "boolean", "TINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "int", "BIGINT": "bigint",
    "UTINYINT": "smallint", "USMALLINT": "int", "UINTEGER": "bigint", "UBIGINT": "decimal(20,0)",
    "HUGEINT": "decimal(38,0)", "FLOAT": "float", "DOUBLE": "double", "VARCHAR": "string", "DATE": "date",
    "TIMESTAMP": "timestamp", "TIMESTAMP_NS": "timestamp", "TIMESTAMP_MS": "timestamp", "TIMESTAMP_S": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp", "BLOB": "binary", '"NULL"': "void", "UUID": "string",
}  # fmt: skip
_WORDS = {
    "boolean": "BOOLEAN", "tinyint": "TINYINT", "smallint": "SMALLINT", "int": "INTEGER", "bigint": "BIGINT",
    "float": "FLOAT", "double": "DOUBLE", "string": "VARCHAR", "date": "DATE", "timestamp": "TIMESTAMP",
    "timestamp_ntz": "TIMESTAMP", "binary": "BLOB", "void": '"NULL"', "decimal(38,0)": "HUGEINT",
}  # fmt: skip
_TIME_PARTS = {
    "%Y": "yyyy", "%m": "MM", "%d": "dd", "%H": "HH", "%M": "mm", "%S": "ss", "%y": "yy", "%I": "hh", "%p": "a",
    "%-m": "M", "%-d": "d", "%f": "SSSSSS", "%g": "SSS", "%z": "XXX", "%b": "MMM", "%B": "MMMM",
}  # fmt: skip


def type_in_words(kind: str) -> str:
    """A type of Spark's in DuckDB's words."""
    return _WORDS.get(kind, kind.upper())


class Reader:
    """Makes data frames of sources in one session."""

    def __init__(self, session: "SparkSession", local: Warehouse) -> None:
        self._session = session
        self._local = local

    def frame(self, source: Source) -> "DataFrame":
        """The rows of a source.

        Raises:
            Invalid: As DuckDB would say, or when Spark cannot read the file as DuckDB does.
        """
        files = self._files(source)
        kinds = self._local.columns(files)
        match files.kind:
            case "csv":
                return self._of_csv(files, self._settled(files, kinds))
            case "parquet":
                return self._of_parquet(files, kinds)
        return self._of_frame(files, kinds)

    def _files(self, source: Source) -> Source:
        """A table of the workspace as the files it has now."""
        if source.kind != "table":
            return source
        self._local.table(source)
        return replace(source_of(self._local.tables[source.label]), label=source.label)

    def _settled(self, source: Source, kinds: Mapping[str, str]) -> dict[str, str]:
        """The types of a CSV's columns after every value was looked at: DuckDB guesses them from the first rows."""
        counts = [_alias(exp.Count(this=quoted(name)), f"c{at}") for at, name in enumerate(kinds)]
        self._local.rows(exp.select(*counts).from_(self._local.table(source)))
        return self._local.columns(source)

    def _of_frame(self, source: Source, kinds: Mapping[str, str]) -> "DataFrame":
        chosen = []
        for name, kind in kinds.items():
            plain = _plain(kind)
            value = exp.cast(quoted(name), plain) if plain else quoted(name)
            chosen.append(exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True)))
        table = self._local.fetch(exp.select(*chosen).from_(self._local.table(source)))
        return self._session.createDataFrame(table)

    def _of_csv(self, source: Source, kinds: Mapping[str, str]) -> "DataFrame":
        from pyspark.sql.types import StringType, StructField, StructType

        header = read_header(source.paths[0])
        _require_named_as_compressed(source.paths, header)
        texts = StructType([StructField(name, StringType()) for name in kinds])
        rows = self._session.read.csv(
            [_address(path) for path in source.paths], schema=texts, header=True, sep=header.separator,
            quote='"', escape='"', encoding="UTF-8", multiLine=True, mode="FAILFAST", maxCharsPerColumn=-1,
        )  # fmt: skip
        formats = self._time_formats(source.paths[0], header)
        chosen = [_alias(_parsed(name, kind, formats, source), name) for name, kind in kinds.items()]
        return _select(rows, chosen)

    def _time_formats(self, path: str, header: Header) -> dict[str, str]:
        """How DuckDB found dates and moments to be written, where that is not ISO 8601."""
        arguments = [
            exp.Literal.string(path),
            exp.PropertyEQ(this=exp.to_identifier("delim"), expression=exp.Literal.string(header.separator)),
        ]
        sniffed = exp.Table(this=exp.Anonymous(this="sniff_csv", expressions=arguments))
        chosen = [
            _alias(quoted(column), kind) for column, kind in (("DateFormat", "DATE"), ("TimestampFormat", "TIMESTAMP"))
        ]
        return {kind: form for kind, form in self._local.rows(exp.select(*chosen).from_(sniffed))[0].items() if form}

    def _by_schema(self, paths: Sequence[str]) -> list[list[str]]:
        """Files whose footers name the same columns and types, together."""
        files = exp.Array(expressions=[exp.Literal.string(path) for path in paths])
        footers = exp.Table(this=exp.Anonymous(this="parquet_schema", expressions=[files]))
        columns = ("file_name", "name", "type", "converted_type", "logical_type")
        groups: dict[str, list[tuple[str, ...]]] = {}
        for row in self._local.rows(exp.select(*[quoted(one) for one in columns]).from_(footers)):
            groups.setdefault(row["file_name"], []).append(tuple(str(row[one]) for one in columns[1:]))
        alike: dict[tuple[tuple[str, ...], ...], list[str]] = {}
        for path, schema in groups.items():
            alike.setdefault(tuple(schema[1:]), []).append(path)
        return list(alike.values())

    def _of_parquet(self, source: Source, kinds: Mapping[str, str]) -> "DataFrame":
        """Files of one schema are read together; a column that some lack is null there, and types are widened."""
        found: DataFrame | None = None
        for group in self._by_schema(source.paths):
            reader = self._session.read
            root = _partitions_root(group[0])
            if root is not None:
                reader = reader.option("basePath", _address(root))
            rows = reader.parquet(*[_address(path) for path in group])
            there = dict(rows.dtypes)
            _require_told_apart(source, there, kinds)
            part = _select(rows, [_alias(_widened(name, kinds[name], there), name) for name in kinds])
            found = part if found is None else found.unionByName(part)
        if found is None:
            raise Invalid(said("{label} has no file", label=source.label), expected="at least one file")
        return found


def _require_told_apart(source: Source, there: Mapping[str, str], kinds: Mapping[str, str]) -> None:
    faults = [
        Fault(name, "DuckDB calls it otherwise", "names that differ in more than case")
        for name in there
        if name not in kinds
    ]
    if faults:
        raise Invalid(said("{label} has columns that Spark and DuckDB name differently", label=source.label), faults)


def _plain(kind: str) -> exp.DataType | None:
    """The type that a frame's column is handed over in, where Spark does not know its own."""
    if kind.startswith("ENUM") or kind in ("UUID", "TIME", "INTERVAL"):
        return exp.DataType.build("VARCHAR", dialect="duckdb")
    other = {"UTINYINT": "SMALLINT", "USMALLINT": "INTEGER", "UINTEGER": "BIGINT", "UBIGINT": "DECIMAL(20, 0)",
             "HUGEINT": "DECIMAL(38, 0)", "UHUGEINT": "DOUBLE", '"NULL"': "DOUBLE"}.get(kind)  # fmt: skip
    if kind.startswith("TIMESTAMP"):
        other = "TIMESTAMP"
    return exp.DataType.build(other, dialect="duckdb") if other else None


def _parsed(name: str, kind: str, formats: Mapping[str, str], source: Source) -> exp.Expr:
    """A column of texts as DuckDB reads it: nothing is null, also in quotes; what does not fit is an error."""
    text: exp.Expr = exp.Nullif(this=quoted(name), expression=exp.Literal.string(""))
    if kind == "VARCHAR":
        return text
    if kind in ("DATE", "TIMESTAMP") and formats.get(kind):
        pattern = _time_pattern(formats[kind], name, source)
        function = "to_date" if kind == "DATE" else "to_timestamp"
        return exp.Anonymous(this=function, expressions=[text, exp.Literal.string(pattern)])
    if kind not in _SAME:
        return text
    return exp.cast(text, exp.DataType.build(_SAME[kind], dialect="spark"))


def _time_pattern(form: str, name: str, source: Source) -> str:
    pattern = form
    for part in sorted(_TIME_PARTS, key=len, reverse=True):
        pattern = pattern.replace(part, _TIME_PARTS[part])
    if "%" in pattern:
        what = said("is written as {form}", form=form)
        fault = Fault(name, what, "dates as 2026-01-31, moments as 2026-01-31 23:59:59")
        raise Invalid(said("{label} has moments that Spark is not asked to read", label=source.label), [fault])
    return pattern.replace("T", "'T'")


def _widened(name: str, kind: str, there: Mapping[str, str]) -> exp.Expr:
    wanted = _SAME.get(kind) or (kind.lower().replace(" ", "") if kind.startswith("DECIMAL") else None)
    if name not in there:
        return exp.cast(exp.Null(), exp.DataType.build(wanted or "string", dialect="spark"))
    column, has = quoted(name), there[name]
    if wanted is None or has == wanted or (wanted, has) == ("timestamp", "timestamp_ntz"):
        return column
    if wanted == "timestamp" and has == "bigint":
        micros = exp.IntDiv(this=column, expression=exp.Literal.number(1000))
        return exp.Anonymous(this="timestamp_micros", expressions=[micros])
    return exp.cast(column, exp.DataType.build(wanted, dialect="spark"))


def _alias(value: exp.Expr, name: str) -> exp.Alias:
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def _select(rows: "DataFrame", chosen: Sequence[exp.Expr]) -> "DataFrame":
    return rows.selectExpr(*[one.sql(dialect="spark") for one in chosen])


def _require_named_as_compressed(paths: Sequence[str], header: Header) -> None:
    for path in paths:
        if header.compressed != path.lower().endswith(".gz"):
            named = said("{path} is compressed and not named .gz", path=path)
            unnamed = said("{path} is named .gz and not compressed", path=path)
            what = named if header.compressed else unnamed
            raise Invalid(what, expected="Spark goes by the name", next_step="rename the file")


def _address(path: str) -> str:
    """A path that Spark takes as it is: never as a pattern, never on another file system."""
    if "://" in path:
        return path
    text = os.fspath(Path(path).resolve())
    for sign in "\\[]{}*?":
        text = text.replace(sign, f"\\{sign}")
    return f"file:{text}" if ":" not in text else _strange(text)


def _strange(path: str) -> str:
    what = said("Spark cannot read {path}: its name has a colon", path=path)
    raise Unavailable(what, next_step="rename it, or --engine duckdb")


def _partitions_root(path: str) -> str | None:
    """The folder above the first `column=value` folder of a path."""
    parts = Path(path).parts
    first = next((at for at, part in enumerate(parts[:-1]) if "=" in part), None)
    return None if first is None else os.fspath(Path(*parts[:first])) if first else "."
