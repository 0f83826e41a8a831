"""One DuckDB connection that answers SQL trees over files, folders, tables of the workspace and data frames.

Names of files and columns never become SQL by pasting: they are literals and identifiers of a tree, quoted by the
dialect's writer. Nothing here installs an extension, looks at variables of the calling program, or writes other than by
`save`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
from sqlglot import exp

from tasuki.errors import Fault, Invalid, Missing, TasukiError, Unavailable, said
from tasuki.warehouse.csv_file import Header, find_fault, read_header, require_whole
from tasuki.warehouse.engine import quoted
from tasuki.warehouse.log_folder import Reading
from tasuki.warehouse.nearest import nearest
from tasuki.warehouse.source import Source, require_named

if TYPE_CHECKING:
    import numpy as np
    from pyarrow import Table

T = TypeVar("T")
_SETTINGS = {
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
    "TimeZone": "UTC",
}
_WHOLE_FILE = -1
_EXACT = {"BIGINT": (r"\s*[+-]?[0-9]+\s*", "DOUBLE"), "DATE": (r"\s*[0-9]+\D[0-9]+\D[0-9]+\s*", "TIMESTAMP")}
"""For a guessed type, the texts that it holds exactly, and the type that holds more."""


class Warehouse:
    """Reads sources with DuckDB.

    Args:
        tables: The tables of the workspace: a glob of Parquet or CSV files by name.
        memory_limit_mb: What the engine may use before it spills to disk; its own default when None.
    """

    def __init__(self, tables: Mapping[str, str] | None = None, memory_limit_mb: int | None = None) -> None:
        self.tables = dict(tables or {})
        settings: dict[str, Any] = dict(_SETTINGS)
        if memory_limit_mb is not None:
            settings["memory_limit"] = f"{memory_limit_mb}MB"
        self._connection = duckdb.connect(config=settings)
        # It would hand CAST(flag AS DOUBLE) to the reader of CSV, which then fails on the text "true". Both are said at
        # once: each statement by itself costs milliseconds.
        self._connection.execute("set enable_progress_bar = false; set disabled_optimizers = 'type_pushdown'")
        self._sources: dict[str, Source] = {}
        self._headers: dict[str, Header] = {}
        self._names = itertools.count(1)
        self._made: set[str] = set()
        self._reading = Reading()
        for pattern in self.tables.values():
            if "://" not in pattern:
                self._reading.hold(Path(pattern).parent)

    def close(self) -> None:
        """Ends the connection, and lets logs be compacted again."""
        self._connection.close()
        self._reading.close()

    def table(self, source: Source) -> exp.Table:
        """The table that stands for a source in a tree, made known to the engine.

        Raises:
            Missing: When the workspace has no such table, or its folder has no file yet.
            Invalid: When a file cannot be read.
        """
        name = next((name for name, known in self._sources.items() if known is source), None)
        if name is None:
            name = source.label if source.kind == "table" else f"source_{len(self._sources) + 1}"
            self._register(name, source)
        return exp.Table(this=exp.to_identifier(name, quoted=True))

    def columns(self, source: Source) -> dict[str, str]:
        """The columns of a source, in order, and their types in the engine's words."""
        empty = exp.select(exp.Star()).from_(self.table(source)).limit(0)
        return self.types(empty)

    def types(self, tree: exp.Expr) -> dict[str, str]:
        """The columns that a tree would answer with, and their types in the engine's words. Nothing is read."""
        return self._answer(tree, lambda found: dict(zip(found.columns, map(str, found.types), strict=True)))

    def fetch(self, tree: exp.Expr) -> "Table":
        """The answer to a tree as an Arrow table. Tables are those of `table` and of the workspace."""
        return self._answer(tree, lambda relation: relation.to_arrow_table())

    def rows(self, tree: exp.Expr) -> list[dict[str, Any]]:
        """The answer to a tree as one mapping per row: for small answers, without loading Arrow."""
        return self._answer(
            tree, lambda relation: [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        )

    def save(self, tree: exp.Expr, path: Path) -> None:
        """Writes the answer to a tree into a new Parquet file."""
        self._answer(tree, lambda relation: relation.write_parquet(str(path), compression="zstd"))

    def numbered(self, path: Path) -> exp.Table:
        """A Parquet file whose rows have their position as `file_row_number`."""
        return _reader("read_parquet", [str(path)], file_row_number=exp.true())

    def materialize(self, tree: exp.Expr) -> exp.Table:
        """The answer to a tree as a table that later trees can name; it lives as long as the connection."""
        name = f"made {next(self._names)}"
        self._answer(tree, lambda relation: relation.create(f'"{name}"'))
        self._made.add(name)
        return exp.Table(this=exp.to_identifier(name, quoted=True))

    def forget(self, table: exp.Table) -> None:
        """Lets go of a table that was materialized; any other stays."""
        if table.name in self._made:
            self._made.remove(table.name)
            self._connection.execute(f'drop table "{table.name}"')

    def days_by_file(self, paths: Sequence[str], time: str, where: exp.Expr | None = None) -> dict[str, list[date]]:
        """The first and last day (UTC) of each Parquet file that has rows; none of a file whose times are all null.

        Args:
            paths: The files.
            time: Their column of time.
            where: Which of their rows count.
        """
        if not paths:
            return {}
        day = exp.cast(quoted(time), exp.DType.DATE)
        chosen = [exp.alias_(exp.Min(this=day), "first"), exp.alias_(exp.Max(this=day.copy()), "last")]
        reader = _reader("read_parquet", list(paths), union_by_name=exp.true(), filename=exp.true())
        tree = exp.select(exp.column("filename"), *chosen).from_(reader).group_by("filename")
        found = self.rows(tree.where(where) if where is not None else tree)
        return {row["filename"]: [row["first"], row["last"]] if row["first"] else [] for row in found}

    def read_columns(
        self, source: Source, names: Sequence[str], *, order_by: str | None = None
    ) -> "dict[str, np.ndarray[Any, Any]]":
        """Whole columns as NumPy arrays, in the order of the file or of `order_by`.

        Numbers with nulls become float64 with NaN, text with nulls objects with None, moments datetime64.

        Raises:
            Invalid: Naming every column that is missing and those that there are; when a file has no rows.
            Missing: When there is no such table or file.
        """
        self.require_columns(source, [*names, *([order_by] if order_by else [])])
        types = self.columns(source)
        chosen = [_plain(name, types[name]) for name in dict.fromkeys(names)]
        tree = exp.select(*chosen).from_(self.table(source))
        if order_by:
            tree = tree.order_by(quoted(order_by))
        found = self._answer(tree, lambda relation: relation.fetchnumpy())
        arrays = {name: _unmasked(found[name]) for name in names}
        if source.kind != "table" and arrays and not len(next(iter(arrays.values()))):
            raise Invalid(said("{label} has no rows", label=source.label), expected="at least one row")
        return arrays

    def require_columns(self, source: Source, names: Sequence[str]) -> None:
        """Raises `Invalid` naming every column that the source does not have, and the closest one it has."""
        require_named(source, self.columns(source), names)

    def require_everywhere(self, source: Source, names: Sequence[str]) -> None:
        """Raises `Invalid` naming the files of a source that lack one of the columns, so that its rows are null."""
        lacking, files = self.lacking(source, names)
        faults = [
            Fault(path, said("has no column {name!r}", name=name))
            for path, missing in lacking.items()
            for name in missing
        ]
        if faults:
            raise Invalid(
                said(
                    "{count} of {files} files of {label} lack columns",
                    count=len(lacking),
                    files=files,
                    label=source.label,
                ),
                faults[:10],
                expected="every column in each file: what is missing would count as nothing",
                next_step="name the files that have them (a quoted glob), or write the column into all",
            )

    def lacking(self, source: Source, names: Sequence[str]) -> tuple[dict[str, list[str]], int]:
        """The Parquet files of a source that lack some of the columns, with these, and how many files there are."""
        paths = list(source.paths) if source.kind == "parquet" else self._files_of(source)
        # What the only file lacks is missing altogether, and told elsewhere.
        return self.lacking_in(paths if len(paths) > 1 else [], names), len(paths)

    def lacking_in(self, paths: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
        """The Parquet files that lack some of the columns, with these. Only their footers are read."""
        if not paths:
            return {}
        files = exp.Array(expressions=[_text(path) for path in paths])
        footers = exp.Table(this=exp.Anonymous(this="parquet_schema", expressions=[files]))
        there: dict[str, set[str]] = {}
        for row in self.rows(exp.select(quoted("file_name"), quoted("name")).from_(footers)):
            there.setdefault(row["file_name"], set()).add(row["name"].lower())
        found = {
            path: [one for one in dict.fromkeys(names) if one.lower() not in columns and f"/{one}=" not in path]
            for path, columns in there.items()
        }
        return {path: missing for path, missing in found.items() if missing}

    def _files_of(self, source: Source) -> list[str]:
        """The Parquet files of a table of the workspace on this machine."""
        pattern = self.tables.get(source.label, "") if source.kind == "table" else ""
        is_local = pattern.lower().endswith(".parquet") and "://" not in pattern
        return sorted(glob(pattern, recursive=True)) if is_local else []  # noqa: PTH207 - a Path cannot hold an absolute pattern

    def _answer(self, tree: exp.Expr, take: Callable[[duckdb.DuckDBPyRelation], T]) -> T:
        try:
            return take(self._relation(tree))
        except duckdb.ConversionException:
            # The engine guesses a CSV column's type from its first rows; look at all of them before giving up.
            self._reread_csv(tree)
        except duckdb.Error as error:
            raise self._translated(tree, error) from error
        try:
            return take(self._relation(tree))
        except duckdb.Error as error:
            raise self._translated(tree, error) from error

    def _relation(self, tree: exp.Expr) -> duckdb.DuckDBPyRelation:
        named = [table.name for table in tree.find_all(exp.Table)]
        for name in named:
            if name in self.tables:
                self._register(name, Source("table", name))
        sql = tree.sql(dialect="duckdb")
        for name in named:
            source = self._sources.get(name)
            if source is not None and source.kind == "relation":
                # A relation belongs to another connection; only that connection can ask it.
                relation: duckdb.DuckDBPyRelation = source.data.query(name, sql)
                return relation
        return self._connection.sql(sql)

    def _register(self, name: str, source: Source, sample: int | None = None) -> None:
        match source.kind:
            case "frame":
                self._connection.register(name, source.data)
            case "relation":
                pass
            case "table":
                self._create_view(name, self._table_reader(name))
            case "parquet":
                for folder in {Path(path).parent for path in source.paths}:
                    self._reading.hold(folder)
                self._create_view(name, _parquet_reader(list(source.paths)))
            case "csv":
                if sample is None:
                    require_whole(source.paths)
                self._sources[name] = source
                self._create_view(name, self._csv_reader(source, sample))
                self._check_header(name, source)
                if sample is None:
                    self._widen(name, source)
        self._sources[name] = source

    def _table_reader(self, name: str) -> exp.Expr:
        pattern = self.tables.get(name)
        if pattern is None:
            close = nearest(name, self.tables)
            raise Missing(
                said("there is no file or table {name!r}", name=name),
                expected=said(
                    "a file, or a table of the workspace ({tables})",
                    tables=tuple(sorted(self.tables)) or said("it has none"),
                ),
                next_step=said("did you mean {close!r}?", close=close)
                if close
                else "check the name, or name a workspace",
            )
        if pattern.lower().endswith((".csv", ".csv.gz")):
            return _reader("read_csv", [pattern], header=exp.true(), union_by_name=exp.true())
        return _parquet_reader([pattern])

    def _csv_reader(self, source: Source, sample: int | None, **more: exp.Expr) -> exp.Expr:
        headers = [read_header(path) for path in source.paths]
        other = next((path for path, one in zip(source.paths, headers, strict=True) if one != headers[0]), None)
        if other is not None:
            raise Invalid(
                said("{file} has another header than {first}", file=other, first=source.paths[0]),
                expected="the same columns in each file",
            )
        self._headers[source.label] = headers[0]
        options: dict[str, exp.Expr] = {
            # All of them at once would make the engine skip its detection of line endings: escape is left to it.
            "header": exp.true(),
            "delim": _text(headers[0].separator),
            "quote": _text('"'),
            "comment": _text(""),
            "skip": exp.Literal.number(0),
            "compression": _text("gzip" if headers[0].compressed else "none"),
            **more,
        }
        if sample is not None:
            options["sample_size"] = exp.Literal.number(sample)
        return _reader("read_csv", list(source.paths), **options)

    def _check_header(self, name: str, source: Source) -> None:
        seen = tuple(self._connection.sql(f'select * from "{name}" limit 0').columns)
        wanted = self._headers[source.label].columns
        if len(seen) != len(wanted) or any(want not in {"", have} for want, have in zip(wanted, seen, strict=True)):
            raise _unparsable(source, self._headers[source.label])

    def _widen(self, name: str, source: Source) -> None:
        """Mends types guessed too narrowly from the first rows: the engine would round 0.5 to a whole number."""
        types = self.columns(source)
        patterns = {column: _EXACT[kind] for column, kind in types.items() if kind in _EXACT}
        if not patterns:
            return
        checks = [
            exp.alias_(
                exp.LogicalOr(this=exp.not_(exp.func("regexp_full_match", quoted(column), _text(pattern)))), f"c{n}"
            )
            for n, (column, (pattern, _)) in enumerate(patterns.items())
        ]
        text = self._csv_reader(source, None, all_varchar=exp.true())
        try:
            found = self._connection.sql(exp.select(*checks).from_(text).sql(dialect="duckdb")).fetchall()[0]
        except duckdb.Error as error:
            raise self._translated(exp.to_table(f'"{name}"'), error) from error
        wider = {column: wide for (column, (_, wide)), is_wide in zip(patterns.items(), found, strict=True) if is_wide}
        if wider:
            keys = [exp.PropertyEQ(this=_text(column), expression=_text(wide)) for column, wide in wider.items()]
            self._create_view(name, self._csv_reader(source, None, types=exp.Struct(expressions=keys)))

    def _reread_csv(self, tree: exp.Expr) -> None:
        for table in tree.find_all(exp.Table):
            source = self._sources.get(table.name)
            if source is not None and source.kind == "csv":
                self._register(table.name, source, _WHOLE_FILE)

    def _create_view(self, name: str, reader: exp.Expr) -> None:
        body = exp.select(exp.Star()).from_(reader)
        view = exp.Create(this=exp.to_table(f'"{name}"'), kind="VIEW", expression=body, replace=True)
        try:
            self._connection.execute(view.sql(dialect="duckdb"))
        except duckdb.Error as error:
            raise self._translated(view, error) from error

    def _translated(self, tree: exp.Expr, error: duckdb.Error) -> TasukiError:
        match error:
            case duckdb.ConversionException():
                return Invalid(_first_lines(error), expected="values of one type in each column")
            case duckdb.InvalidInputException() | duckdb.InvalidTypeException():
                return self._unreadable(tree, error)
            case duckdb.IOException():
                return self._unopened(tree, error)
            case duckdb.OutOfMemoryException():
                more = said("allow the engine more memory, or close other programs")
                return Unavailable(
                    said("the engine ran out of memory: {error}", error=_first_lines(error)), next_step=more
                )
        return Invalid(said("the engine refuses the query: {error}", error=_first_lines(error)))

    def _unopened(self, tree: exp.Expr, error: duckdb.Error) -> TasukiError:
        if "No files found" in str(error):
            next_step = said("check the path, or wait for the first rows")
            return Missing(_first_lines(error), expected="at least one file", next_step=next_step)
        if "No such file" in str(error):
            return Missing(_first_lines(error), expected="the file that was there", next_step="check the path")
        return self._unreadable(tree, error)

    def _unreadable(self, tree: exp.Expr, error: duckdb.Error) -> Invalid:
        for table in tree.find_all(exp.Table):
            source = self._sources.get(table.name)
            if source is not None and source.kind == "csv":
                return _unparsable(source, self._headers[source.label])
        what = said("the data cannot be read: {error}", error=_first_lines(error))
        return Invalid(what, expected="a whole file, as it was written")


def _reader(function: str, paths: list[str], **options: exp.Expr) -> exp.Table:
    files = exp.Array(expressions=[_text(path) for path in paths])
    named = [exp.PropertyEQ(this=exp.to_identifier(key), expression=value) for key, value in options.items()]
    return exp.Table(this=exp.Anonymous(this=function, expressions=[files, *named]))


def _text(value: str) -> exp.Literal:
    return exp.Literal.string(value)


def _parquet_reader(paths: list[str]) -> exp.Expr:
    return _reader("read_parquet", paths, union_by_name=exp.true())


def _plain(name: str, kind: str) -> exp.Alias:
    column = quoted(name)
    value = exp.cast(column, exp.DType.TEXT) if kind.startswith("ENUM") else column
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def _unmasked(values: Any) -> "np.ndarray[Any, Any]":
    import numpy as np

    missing = np.ma.getmaskarray(values)
    plain = np.array(np.ma.getdata(values))
    if not missing.any():
        return plain
    match plain.dtype.kind:
        case "b" | "i" | "u" | "f":
            plain = plain.astype("float64")
            plain[missing] = np.nan
        case "M":
            plain[missing] = np.datetime64("NaT")
        case _:
            plain[missing] = None
    return plain


def _unparsable(source: Source, header: Header) -> Invalid:
    faults = [find_fault(path, header) for path in source.paths]
    return Invalid(
        said("{label} cannot be read as CSV", label=source.label),
        faults[:5],
        expected="the same number of values in each row",
    )


def _first_lines(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = itertools.takewhile(lambda line: not line.startswith(("Possible", "LINE 1:")), lines[:3])
    return " ".join(told)
