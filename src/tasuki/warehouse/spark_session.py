"""The Spark session of this process: the one that runs already, or one that is started here and ends with it."""

import atexit
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasuki.errors import Invalid, TasukiError, Unavailable, said
from tasuki.warehouse.engine import SPARK

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_HERE = ("local", "spark://127.0.0.1", "spark://localhost")
_QUERIES = {
    # Faults in values are errors, never silently null or wrapped around.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # A row with too many values is only noticed when every column is parsed.
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
}


def session_for(engine: str) -> "SparkSession":
    """A session of our own settings and tables on the Spark that the engine's name asks for.

    Args:
        engine: `spark` for the one that runs already or that Spark's own settings describe, or a master.

    Raises:
        Unavailable: PySpark or Java is not installed, or the master does not answer.
        Invalid: Another master runs in this process already.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise Unavailable(
            "PySpark is not installed",
            expected="PySpark 4",
            next_step="pip install 'tasuki[spark]', or --engine duckdb",
        ) from error
    running = SparkSession.getActiveSession() or SparkSession._instantiatedSession
    if running is not None and running.sparkContext._jsc is not None:
        there = running.sparkContext.master
        if engine not in (SPARK, there):
            raise Invalid(
                said("a Spark on {there} runs in this process already", there=there),
                expected=said("{one} or {other}", one=SPARK, other=there),
                next_step="stop it first, or use another process",
            )
    else:
        running = _start(engine)
    session = running.newSession()
    for name, value in _QUERIES.items():
        session.conf.set(name, value)
    # Few and small answers: one wave of tasks. Spark itself merges partitions that turn out small.
    session.conf.set("spark.sql.shuffle.partitions", str(max(2, 2 * running.sparkContext.defaultParallelism)))
    # It would print each failed query's trace; we say what failed ourselves.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    return session


def _start(engine: str) -> "SparkSession":
    from pyspark.sql import SparkSession

    _require_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("tasuki").config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false").config("spark.log.level", "ERROR")
    builder = builder.config("spark.sql.warehouse.dir", str(Path(tempfile.gettempdir()) / "tasuki-spark"))
    if engine != SPARK:
        builder = builder.master(engine)
    is_configured = any(os.environ.get(name) for name in ("SPARK_CONF_DIR", "SPARK_HOME", "PYSPARK_SUBMIT_ARGS"))
    if engine.startswith(_HERE) or (engine == SPARK and not is_configured):
        # Without this a laptop's changing name and address decide whether Spark starts.
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    with _quiet() as printed:
        try:
            session = builder.getOrCreate()
        except Exception as error:
            raise _not_started(engine, error, printed()) from error
    atexit.register(session.stop)
    return session


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if (home and (Path(home) / "bin" / "java").exists()) or shutil.which("java"):
        return
    raise Unavailable(
        "Spark needs Java, and there is none",
        expected="java on the PATH, or JAVA_HOME",
        next_step="install Java 17 or 21 (a JRE is enough), or --engine duckdb",
    )


def _not_started(engine: str, error: Exception, printed: str) -> TasukiError:
    lines = [line.strip() for line in (str(error), *printed.splitlines()) if line.strip()]
    why = next((line for line in lines if "Exception" in line or "rror" in line), lines[0] if lines else "")
    return Unavailable(
        said("Spark does not start on {engine}: {error}", engine=engine, error=why.splitlines()[0][:300]),
        expected="a Spark master that answers, and memory for a Java process",
        next_step="check the address and Java's version (17 or 21), or --engine duckdb",
    )


@contextmanager
def _quiet() -> Iterator[Callable[[], str]]:
    """Keeps what the Java process prints: it inherits this process's error stream, so that one is exchanged."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield lambda: _tail(log.fileno())
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, 8_000, max(0, size - 8_000)).decode("utf-8", "replace")
