"""The metrics a workspace declares: read, shown, and checked against its tables."""

from collections.abc import Mapping
from pathlib import Path

from sqlglot import exp

from tasuki.actions.measure import is_number
from tasuki.errors import Fault, Invalid, Missing, TasukiError
from tasuki.metrics.bound import bind
from tasuki.metrics.compile import types_tree
from tasuki.metrics.declared import FILE, read_metrics
from tasuki.metrics.metric import Metric
from tasuki.warehouse import Engine, open_engine, source_of
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
        f"there is no metric {name!r}",
        expected=", ".join(metrics) or f"a [metric.NAME] in {FILE}: none is declared",
        next_step=f"did you mean {close!r}?" if close else f"declare it in {folder / FILE}",
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
    metrics = declared_metrics(folder)
    faults: list[Fault] = []
    warehouse = open_engine(engine, tables)
    try:
        for metric in metrics.values():
            faults.extend(_faults_of(metric, warehouse))
    finally:
        warehouse.close()
    if faults:
        raise Invalid(f"{FILE} does not fit the tables: {len(faults)} fault(s)", faults)
    return tuple(metrics.values())


def _faults_of(metric: Metric, warehouse: Engine) -> list[Fault]:
    where = f"metric.{metric.name}"
    try:
        source = source_of(metric.table or "")
        columns = warehouse.columns(source)
    except TasukiError as error:
        return [Fault(f"{where}.table", error.what, error.expected)]
    faults: list[Fault] = []
    for part, name in (("unit", metric.unit), ("exposure", metric.exposure), ("time", metric.time)):
        if name is not None and name not in columns:
            close = nearest(name, columns)
            hint = f"; did you mean {close!r}?" if close else ""
            faults.append(Fault(f"{where}.{part}", f"there is no column {name!r}{hint}", ", ".join(columns)))
    before = len(faults)
    bound = bind(metric, list(columns), faults)
    faults[before:] = [Fault(f"metric.{one.where}", one.what, one.expected) for one in faults[before:]]
    if bound is not None:
        faults.extend(_type_faults(where, warehouse, types_tree(warehouse.table(source), [bound])))
    return faults


def _type_faults(where: str, warehouse: Engine, tree: exp.Select) -> list[Fault]:
    try:
        types = warehouse.types(tree)
    except TasukiError as error:
        return [Fault(where, error.what, error.expected)]
    return [Fault(where, f"an expression is {kind}", "numbers") for kind in types.values() if not is_number(kind)]
