"""What can be asked: files, folders, tables of the workspace and data frames, told apart before anything is read."""

import glob
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

from tasuki.errors import Fault, Invalid, Missing, said
from tasuki.warehouse.log_folder import finish_swaps
from tasuki.warehouse.nearest import nearest

Kind = Literal["parquet", "csv", "frame", "relation", "table"]

PARQUET_MAGIC = b"PAR1"
_FOREIGN = {
    b"PK\x03\x04": said("a zip archive or Excel workbook"),
    b"%PDF": said("a PDF"),
    b"SQLite format 3": said("a SQLite database"),
}
_SUFFIXES = (".parquet", ".pq", ".csv", ".tsv", ".txt", ".gz")


@dataclass(frozen=True, eq=False)
class Source:
    """One set of rows that a warehouse can read.

    Args:
        kind: How it is read.
        label: How people know it: the path, the table's name, or the kind of frame.
        paths: The files, for `parquet` and `csv`.
        data: The frame or relation itself.
    """

    kind: Kind
    label: str
    paths: tuple[str, ...] = ()
    data: Any = field(default=None, repr=False)


def source_of(data: Any) -> Source:
    """Recognises what was given.

    Args:
        data: A path, a glob, a folder of Parquet or CSV files, the name of a table of the workspace, a pandas, Polars
            or PyArrow table, or a DuckDB relation.

    Raises:
        Missing: When a path, glob or folder leads to no file.
        Invalid: When a file is empty or of a kind that is not read, or the object is none of the above.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, str | PathLike):
        return _named(fspath(data))
    package = type(data).__module__.split(".")[0].lstrip("_")
    name = type(data).__name__
    if package == "duckdb" and name == "DuckDBPyRelation":
        return Source("relation", "the DuckDB relation", data=data)
    if package == "polars" and name == "LazyFrame":
        return Source("frame", "the Polars frame", data=data.collect())
    if (package, name) in {("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table")}:
        return Source("frame", f"the {package} {name}", data=data)
    raise Invalid(
        said("a {kind} cannot be read as a table", kind=f"{package}.{name}"),
        expected="a path, a pandas, Polars or PyArrow table, or a DuckDB relation",
    )


def require_named(source: Source, there: Collection[str], names: Iterable[str]) -> None:
    """Raises `Invalid` for every name that is not among the columns there are, each with the closest one."""
    faults = []
    for name in dict.fromkeys(names):
        if name not in there:
            close = nearest(name, there)
            faults.append(Fault(name, "there is no such column", said("{close!r}?", close=close) if close else ""))
    if faults:
        what = said("{label} lacks {count} column(s)", label=source.label, count=len(faults))
        raise Invalid(what, faults, expected=said("one of {columns}", columns=tuple(there)))


def _named(name: str) -> Source:
    path = Path(name)
    finish_swaps(path if path.is_dir() else path.parent)
    if path.is_dir():
        return _of_files(name, _files_in(path))
    if path.exists():
        return _of_files(name, (name,))
    if glob.has_magic(name):
        return _of_files(
            name,
            tuple(sorted(found for found in glob.glob(name, recursive=True) if Path(found).is_file())),  # noqa: PTH207 - a Path cannot hold an absolute pattern
        )
    if path.suffix.lower() in _SUFFIXES or len(path.parts) > 1:
        raise _missing_file(path)
    return Source("table", name)


def _files_in(folder: Path) -> tuple[str, ...]:
    files = [one for one in sorted(folder.rglob("*")) if one.is_file() and not one.name.startswith((".", "_"))]
    is_parquet: Callable[[Path], bool] = lambda one: one.suffix.lower() in {".parquet", ".pq"}  # noqa: E731
    parquet = [str(one) for one in files if is_parquet(one)]
    return tuple(parquet or [str(one) for one in files if one.name.lower().endswith((".csv", ".csv.gz", ".tsv"))])


def _of_files(label: str, paths: tuple[str, ...]) -> Source:
    if not paths:
        raise Missing(
            said("no file is found at {label}", label=label),
            expected="Parquet or CSV files",
            next_step="check the path; quote a glob",
        )
    kinds = {_kind_of(Path(path)) for path in paths}
    if len(kinds) > 1:
        raise Invalid(said("{label} mixes Parquet and CSV files", label=label), expected="files of one kind")
    return Source(kinds.pop(), label, paths)


def _kind_of(path: Path) -> Literal["parquet", "csv"]:
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        what = said("{path} cannot be read: {error}", path=path, error=error.strerror)
        raise Invalid(what, next_step="check its permissions") from error
    if not start:
        raise Invalid(said("{path} is empty (0 bytes)", path=path), expected="a file with a header and rows")
    if start.startswith(PARQUET_MAGIC):
        return "parquet"
    if path.suffix.lower() in {".parquet", ".pq"}:
        what = said("{path} is no Parquet file (it does not begin with PAR1)", path=path)
        raise Invalid(what, expected="a Parquet file")
    for magic, what in _FOREIGN.items():
        if start.startswith(magic):
            raise Invalid(said("{path} is {what}", path=path, what=what), expected="CSV (also .gz) or Parquet")
    return "csv"


def _missing_file(path: Path) -> Missing:
    folder = path.parent
    if not folder.is_dir():
        what = said("there is no folder {folder}", folder=folder)
        return Missing(what, expected=said("a file at {path}", path=path), next_step="check the path")
    there = sorted(one.name for one in folder.iterdir() if one.name.lower().endswith(_SUFFIXES))
    close = nearest(path.name, there)
    hint = said("did you mean {close}?", close=folder / close) if close else said("check the path")
    return Missing(said("there is no file {path}", path=path), expected="CSV (also .gz) or Parquet", next_step=hint)
