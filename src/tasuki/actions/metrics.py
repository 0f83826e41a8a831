"""The metrics a workspace declares: read, shown, and checked against its tables."""

from collections.abc import Mapping
from pathlib import Path

from tasuki.actions.metric_schema import schema_faults
from tasuki.errors import Invalid, Missing, said
from tasuki.metrics.declared import FILE, examine_metrics, read_metrics
from tasuki.metrics.metric import Metric
from tasuki.warehouse import open_engine
from tasuki.warehouse.nearest import nearest


def declared_metrics(folder: Path) -> dict[str, Metric]:
    """The metrics of a workspace by name.

    Raises:
        Invalid: `metrics.toml` has faults; all of them at once.
    """
    return read_metrics(folder)


def metric_named(folder: Path, name: str) -> Metric:
    """One declared metric.

    Raises:
        Missing: There is no such metric; the closest is named.
    """
    metrics = declared_metrics(folder)
    if name in metrics:
        return metrics[name]
    close = nearest(name, metrics)
    raise Missing(
        said("there is no metric {name!r}", name=name),
        expected=", ".join(metrics) or said("a [metric.NAME] in {file}: none is declared", file=FILE),
        next_step=said("did you mean {close!r}?", close=close)
        if close
        else said("declare it in {folder}", folder=folder / FILE),
    )


def check_metrics(folder: Path, tables: Mapping[str, str], engine: str = "duckdb") -> tuple[Metric, ...]:
    """Checks every declared metric against the tables there are.

    Args:
        folder: The workspace's folder.
        tables: Its tables.
        engine: What is asked (see `tasuki.warehouse.opening.open_engine`).

    Returns:
        The metrics, all sound.

    Raises:
        Invalid: With every fault of every metric at once.
    """
    declared = examine_metrics(folder)
    faults = list(declared.faults)
    warehouse = open_engine(engine, tables)
    try:
        for name, value in declared.values.items():
            faults += schema_faults(name, value, warehouse)
    finally:
        warehouse.close()
    if faults:
        raise Invalid(
            said("{file} has {count} fault(s), or does not fit the tables", file=FILE, count=len(faults)),
            list(dict.fromkeys(faults)),
        )
    return tuple(declared.metrics.values())
