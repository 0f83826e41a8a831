"""What a CSV file says of itself: its columns, its separator, and where it goes wrong.

The engine guesses a CSV's dialect and, when rows do not fit, may skip lines until they do. So the header is read here,
handed to the engine as a fact, and compared with what the engine made of it.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tasuki.errors import Fault, Invalid, said

_SEPARATORS = ",\t;|"
_GZIP_MAGIC = b"\x1f\x8b"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_CHUNK = 2**20


@dataclass(frozen=True)
class Header:
    """The first row of a CSV file and how it is written."""

    columns: tuple[str, ...]
    separator: str
    compressed: bool


def read_header(path: str) -> Header:
    """The columns and the separator of a file.

    Raises:
        Invalid: When it is not UTF-8 text, a broken archive, has no rows, or names a column twice or not at all.
    """
    with _opened(path) as file:
        first = file.readline()
        separator = max(_SEPARATORS, key=first.count)
        file.seek(0)
        rows = csv.reader(file, delimiter=separator)
        columns = next(rows, [])
        second = next(rows, None)
    if not any(columns):
        raise Invalid(said("{path} has no header", path=path), expected="the names of the columns in the first line")
    if second is None:
        what = said("{path} has a header and no rows", path=path)
        raise Invalid(what, expected="at least one row below the header")
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    faults = [
        Fault(path, said("the column {name!r} is there {count} times", name=name, count=columns.count(name)))
        for name in repeated
    ]
    if faults:
        raise Invalid(said("{path} names columns twice", path=path), faults, expected="each column once")
    return Header(tuple(columns), separator, _is_compressed(path))


def require_whole(paths: Sequence[str]) -> None:
    """Reads archives to their end: the engine does not look at their checksum, and would count what is damaged.

    Raises:
        Invalid: An archive is cut off, or its content is not what was compressed.
    """
    for path in filter(_is_compressed, paths):
        with _told(path), gzip.open(path, "rb") as file:
            while file.read(_CHUNK):
                pass


def find_fault(path: str, header: Header) -> Fault:
    """The first line that does not fit the header, for the message to a person.

    Raises:
        Invalid: When the file cannot be read to its end at all.
    """
    expected = len(header.columns)
    try:
        with _opened(path) as file:
            rows = csv.reader(file, delimiter=header.separator, strict=True)
            for row in rows:
                if len(row) != expected and row:
                    what = said("has {count} values", count=len(row))
                    return Fault(f"{path} line {rows.line_num}", what, said("{count}, as the header", count=expected))
    except csv.Error as error:
        return Fault(path, str(error).splitlines()[0])
    wanted = said("{count} values in each, separated by {separator!r}", count=expected, separator=header.separator)
    return Fault(path, "its rows do not fit one pattern", wanted)


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    if path.lower().endswith(".gz") and not _is_compressed(path):
        raise Invalid(
            said("{path} is named .gz and is no gzip archive", path=path),
            expected="a gzip archive, or a name that ends with .csv",
            next_step="rename it, or compress it again",
        )
    opening = gzip.open if _is_compressed(path) else open
    with _told(path), opening(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield file


@contextmanager
def _told(path: str) -> Iterator[None]:
    """What reading may raise, in the words of people."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise Invalid(
            said("{path} is not text in UTF-8", path=path),
            expected="CSV in UTF-8 (with or without a byte-order mark), or Parquet",
            next_step=said("save it as UTF-8; {how}", how=_conversion(path)),
        ) from error
    except csv.Error as error:
        what = said("{path} cannot be read as CSV: {error}", path=path, error=error)
        raise Invalid(what, expected="CSV in UTF-8, or Parquet") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise Invalid(
            said("{path} is a broken gzip archive: {error}", path=path, error=error),
            expected="a whole archive, as it was written",
            next_step="copy or compress it again",
        ) from error


def _conversion(path: str) -> str:
    with Path(path).open("rb") as file:
        is_wide = file.read(2) in _WIDE
    known = ("UTF-16", "UTF-16") if is_wide else ("Shift_JIS", "CP932")
    return said("from {coding}: iconv -f {name} -t UTF-8", coding=known[0], name=known[1])


def _is_compressed(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(2) == _GZIP_MAGIC
