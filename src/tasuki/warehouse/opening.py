"""Opening the engine that an option or a setting names."""

from collections.abc import Mapping

from tasuki.errors import Invalid
from tasuki.warehouse.engine import DUCKDB, Engine, require_engine


def open_engine(
    engine: str = DUCKDB, tables: Mapping[str, str] | None = None, memory_limit_mb: int | None = None
) -> Engine:
    """The engine that an option or the setting of a workspace names.

    Args:
        engine: `duckdb`; `spark` for the session that runs already, or one as Spark's own settings say; or a Spark
            master, as `spark://host:7077`, `local[4]` or `local-cluster[2,1,1024]`.
        tables: The tables of the workspace: a glob of Parquet or CSV files by name.
        memory_limit_mb: What DuckDB may use before it spills to disk. Spark takes its limits from its own settings.

    Raises:
        Invalid: There is no such engine, or it takes no memory limit.
        Unavailable: PySpark or Java is not installed, or the master does not answer.
    """
    require_engine(engine)
    if engine == DUCKDB:
        from tasuki.warehouse.duckdb_engine import Warehouse

        return Warehouse(tables, memory_limit_mb)
    if memory_limit_mb is not None:
        raise Invalid(
            "the memory limit is DuckDB's",
            expected="no limit with Spark",
            next_step="set spark.executor.memory and spark.driver.memory in Spark's own settings",
        )
    from tasuki.warehouse.spark_engine import SparkEngine

    return SparkEngine(tables, engine)
