"""Apache Spark as an engine: the rows stay there, small answers come back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlglot import exp

from tasuki.errors import Invalid, Missing, TasukiError, Unavailable, said
from tasuki.warehouse.duckdb_engine import Warehouse
from tasuki.warehouse.engine import SPARK
from tasuki.warehouse.source import Source, require_named
from tasuki.warehouse.spark_dialect import in_spark
from tasuki.warehouse.spark_reading import Reader, type_in_words
from tasuki.warehouse.spark_session import session_for

T = TypeVar("T")
_VALUES = ("CAST_INVALID_INPUT", "CAST_OVERFLOW", "CANNOT_PARSE", "NUMERIC_VALUE_OUT_OF_RANGE", "ARITHMETIC_OVERFLOW",
           "DIVIDE_BY_ZERO", "REMAINDER_BY_ZERO", "INVALID_DATETIME", "DATETIME")  # fmt: skip
_FILES = ("FAILED_READ_FILE", "MALFORMED", "CANNOT_READ", "FILE_NOT_EXIST", "PARQUET", "CONVERSION")


class SparkEngine:
    """Reads sources with Spark. DuckDB, on this machine, only looks at what the columns are.

    Args:
        tables: The tables of the workspace: a glob of Parquet or CSV files by name.
        engine: `spark`, or a Spark master.

    Raises:
        Unavailable: PySpark or Java is not installed, or the master does not answer.
    """

    def __init__(self, tables: Mapping[str, str] | None = None, engine: str = SPARK) -> None:
        self.tables = dict(tables or {})
        self._session = session_for(engine)
        self._local = Warehouse(tables)
        self._reader = Reader(self._session, self._local)
        self._views: dict[str, Source] = {}
        self._kinds: dict[str, str] = {}

    def close(self) -> None:
        """Forgets the tables. The session stays for the next engine and ends with the process."""
        for view in self._views:
            self._session.catalog.dropTempView(view)
        self._local.close()

    def table(self, source: Source) -> exp.Table:
        """The table that stands for a source in a tree, made known to Spark.

        Raises:
            Missing: When the workspace has no such table, or its folder has no file yet.
            Invalid: When a file cannot be read.
        """
        name = next((name for name, known in self._views.items() if known is source), None)
        if name is None:
            name = source.label if source.kind == "table" else f"source_{len(self._views) + 1}"
            self._register(name, source)
        return exp.Table(this=exp.to_identifier(name, quoted=True))

    def columns(self, source: Source) -> dict[str, str]:
        """The columns of a source, in order, and their types in DuckDB's words."""
        return self.types(exp.select(exp.Star()).from_(self.table(source)))

    def types(self, tree: exp.Expr) -> dict[str, str]:
        """The columns that a tree would answer with, and their types in DuckDB's words. Nothing is read."""
        return {name: type_in_words(kind) for name, kind in self._answer(tree, lambda frame: frame.dtypes)}

    def rows(self, tree: exp.Expr) -> list[dict[str, Any]]:
        """The answer to a tree as one mapping per row: for small answers."""
        return self._answer(tree, lambda frame: [row.asDict() for row in frame.collect()])

    def require_columns(self, source: Source, names: Sequence[str]) -> None:
        """Raises `Invalid` naming every column that the source does not have, and the closest one it has."""
        require_named(source, self.columns(source), names)

    def require_everywhere(self, source: Source, names: Sequence[str]) -> None:
        """Raises `Invalid` naming the files of a source that lack one of the columns."""
        self._local.require_everywhere(source, names)

    def lacking(self, source: Source, names: Sequence[str]) -> tuple[dict[str, list[str]], int]:
        """The Parquet files of a source that lack some of the columns, with these, and how many files there are."""
        return self._local.lacking(source, names)

    def _register(self, name: str, source: Source) -> None:
        frame = self._guarded(lambda: self._reader.frame(source))
        frame.createOrReplaceTempView(name)
        self._views[name] = source
        for column, kind in frame.dtypes:
            word = type_in_words(kind)
            # Of a name that has two types in two tables, neither is known.
            self._kinds[column] = word if self._kinds.get(column, word) == word else ""

    def _answer(self, tree: exp.Expr, take: Callable[[Any], T]) -> T:
        for table in tree.find_all(exp.Table):
            if table.name in self.tables and table.name not in self._views:
                self._register(table.name, Source("table", table.name))
        sql = in_spark(tree, self._kinds).sql(dialect="spark")
        return self._guarded(lambda: take(self._session.sql(sql)))

    def _guarded(self, ask: Callable[[], T]) -> T:
        from py4j.protocol import Py4JError, Py4JNetworkError  # type: ignore[import-untyped]
        from pyspark.errors import PySparkException

        try:
            return ask()
        except Py4JNetworkError as error:
            raise _gone(error) from error
        except (PySparkException, Py4JError) as error:
            raise _translated(error) from error
        except ConnectionError as error:
            raise _gone(error) from error


def _gone(error: Exception) -> TasukiError:
    return Unavailable(
        said("Spark has stopped: {error}", error=_first_line(error)),
        expected="a Java process that lives",
        next_step="allow it more memory (spark.driver.memory), and try again",
    )


def _translated(error: Exception) -> TasukiError:
    """Spark's errors by what the reader can do; a failed task wraps the fault in its own trace."""
    whole = str(error)
    condition = _condition(error)
    if "OutOfMemoryError" in whole or "maxResultSize" in whole:
        more = said("set spark.executor.memory and spark.driver.memory in Spark's own settings")
        return Unavailable(said("Spark ran out of memory: {error}", error=_first_line(error)), next_step=more)
    if any(one in condition for one in _VALUES):
        return Invalid(_first_line(error), expected="values of one type in each column")
    if "PATH_NOT_FOUND" in condition or "FileNotFoundException" in whole:
        return Missing(_first_line(error), expected="the file that was there", next_step="check the path")
    if any(one in condition for one in _FILES):
        what = said("the data cannot be read: {error}", error=_first_line(error))
        return Invalid(what, expected="a whole file, as it was written")
    return Invalid(said("the engine refuses the query: {error}", error=_first_line(error)))


def _condition(error: Exception) -> str:
    import re

    named = getattr(error, "getCondition", lambda: None)() or ""
    # The cause of a failed task is named further down, in brackets.
    return " ".join([named, *re.findall(r"\[([A-Z][A-Z_.]{5,})\]", str(error))])


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("[") or ": [" in line), lines[0] if lines else "")
    return told.split(" SQLSTATE")[0][:400]
