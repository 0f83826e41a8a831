"""Opens SQLite or PostgreSQL for the ledger, begins transactions, and turns driver errors into the five of tasuki.

SQLite: write-ahead log, `synchronous=FULL` (a commit is on disk when it is acknowledged), `BEGIN IMMEDIATE` for writes.
PostgreSQL: one advisory lock per writing transaction. On both, writers therefore commit one after the other, in the
order of their positions, so a reader of the feed never skips an event that commits late; reading never waits.
"""

import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InvalidatePoolError, NoSuchModuleError

from tasuki.errors import Invalid, Missing, Stale, TasukiError, Unavailable, said
from tasuki.store.files import held

WRITER_LOCK = 0x7461_7375_6B69
"""The advisory lock that PostgreSQL writers take ("tasuki" in ASCII)."""

CALENDAR_LOCK = WRITER_LOCK + 1
"""The one of whoever decides on slots and writes what was decided."""

_WRITES = "tasuki_writes"

_POOL: dict[str, Any] = {"pool_size": 32, "max_overflow": 8, "pool_use_lifo": True}
"""Connections are kept for as many threads as ever ask at once; one beyond the size would be opened and closed for each
question. Those used last are used first, so that only as many are open as work."""

_QUIET_S = 60.0
"""A connection to a server that nobody used for so long is asked whether it lives: a network may have dropped it."""

# What a driver's error means: the beginning of SQLite's error name or PostgreSQL's SQLSTATE.
_MEANINGS: dict[str, tuple[type[Invalid] | type[Unavailable], str, str]] = {
    "SQLITE_BUSY": (Unavailable, "the ledger is busy: another process kept it locked", "try again in a moment"),
    "SQLITE_LOCKED": (Unavailable, "the ledger is busy: another process kept it locked", "try again in a moment"),
    "SQLITE_READONLY": (Unavailable, "the ledger may only be read", "give write permission to its file and folder"),
    "SQLITE_FULL": (Unavailable, "the disk is full; nothing was written", "free space, then try again"),
    "SQLITE_IOERR": (Unavailable, "the disk fails; nothing was written", "check the disk, then run `tasuki doctor`"),
    "SQLITE_CANTOPEN": (Unavailable, "the ledger's file cannot be opened", "check that its folder exists and is yours"),
    "SQLITE_PERM": (Unavailable, "the ledger's file cannot be opened", "check that its folder exists and is yours"),
    "SQLITE_NOTADB": (Invalid, "the file is not a ledger (not an SQLite database)", "check the ledger's address"),
    "SQLITE_CORRUPT": (Invalid, "the ledger's file is damaged", "keep a copy of it and `tasuki restore` a backup"),
    "55P03": (Unavailable, "the ledger is busy: another process kept it locked", "try again in a moment"),
    "25006": (Unavailable, "the ledger may only be read", "connect to the primary server"),
    "53": (Unavailable, "PostgreSQL has no room left; nothing was written", "free disk, memory or connections"),
    "28": (Unavailable, "PostgreSQL does not let this user in", "check user and password in the ledger's address"),
    "3D": (Unavailable, "the PostgreSQL database does not exist", "create it, then try again"),
    "42501": (Unavailable, "this PostgreSQL user lacks a permission", "grant it on the ledger's schema"),
}


def require_there(url: str) -> None:
    """Raises `Missing` when the file of a ledger on SQLite is gone or empty; a server answers for itself.

    Only a new workspace makes a ledger: a lost one that quietly came back empty would look healthy.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return
    file = Path(address.database)
    if not file.is_file() or file.stat().st_size == 0:
        raise Missing(
            said(
                "the ledger {file} is {state}", file=file, state=said("empty") if file.is_file() else said("not there")
            ),
            expected="the file with everything the team wrote down",
            next_step="put it back, or: tasuki restore BACKUP",
        )


def open_engine(url: str, timeout_s: float) -> Engine:
    """An engine for the ledger at `url`, with the durability and locking that the ledger promises.

    Args:
        url: `sqlite:///path/ledger.db` or `postgresql://user@host/database`.
        timeout_s: How long a writer waits for other writers before it gives up as `Unavailable`.

    Raises:
        Invalid: The address is not one of these two.
        Unavailable: The PostgreSQL driver is not installed.
    """
    address = _address(url)
    try:
        if address.get_backend_name() == "sqlite":
            engine = create_engine(address, connect_args={"timeout": timeout_s}, **_POOL)
            event.listen(engine, "connect", _prepare_sqlite(timeout_s))
            event.listen(engine, "begin", _begin_sqlite)
        else:
            engine = create_engine(address, **_POOL)
            event.listen(engine, "connect", _prepare_postgresql(timeout_s))
            event.listen(engine, "checkin", _remember_use)
            event.listen(engine, "checkout", _refuse_dead(engine))
    except ModuleNotFoundError as missing:
        raise Unavailable(
            said(
                "the driver of {address} is not installed ({missing})",
                address=address.get_backend_name(),
                missing=missing.name,
            ),
            next_step='pip install "tasuki[postgres]"',
        ) from missing
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads and sees one consistent state of the ledger."""
    with translated(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


@contextmanager
def asking(engine: Engine) -> Iterator[Connection]:
    """For one question: a single statement sees one consistent state by itself.

    A server is spared a transaction's beginning and end, each of which it would have to answer as well.
    """
    if engine.dialect.name != "postgresql":
        with reading(engine) as connection:
            yield connection
        return
    with translated(), engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: the only one at a time. Committed and durable when the block ends without an error."""
    with translated(), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
            yield connection


@contextmanager
def holding_calendar(engine: Engine) -> Iterator[None]:
    """Holds all slots of this ledger over several transactions; whoever else wants to, on any machine, waits.

    Raises:
        Unavailable: Somebody else held them for too long.
    """
    if engine.dialect.name != "postgresql":
        with held(Path(f"{engine.url.database}.calendar.lock")):
            yield
        return
    with translated(), engine.connect() as connection:
        # By the connection, not by a transaction: it is let go of when the connection ends, however that happens.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({CALENDAR_LOCK})")
        try:
            yield
        finally:
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({CALENDAR_LOCK})")


@contextmanager
def translated() -> Iterator[None]:
    """Turns the driver's errors into tasuki's."""
    try:
        yield
    except DBAPIError as error:
        raise _domain_error(error) from error


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise _bad_address(url) from error
    if backend in {"postgres", "postgresql"}:
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or address.database in {None, "", ":memory:"}:
        raise _bad_address(url)
    return address


def _bad_address(url: str) -> Invalid:
    return Invalid(
        said("{without_password!r} is no address of a ledger", without_password=_without_password(url)),
        expected="sqlite:///path/ledger.db or postgresql://user@host/database",
        next_step="correct the ledger's address in tasuki.toml",
    )


def _without_password(url: str) -> str:
    return re.sub(r"://([^/@:]*):[^@]*@", r"://\1:***@", url)


def _prepare_sqlite(timeout_s: float) -> Any:
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin when we say so, see _begin_sqlite
        run = connection.execute
        run("PRAGMA synchronous=FULL")
        run("PRAGMA fullfsync=ON")  # macOS flushes its disk's own cache only when asked
        run("PRAGMA trusted_schema=OFF")
        _use_write_ahead_log(run, time.monotonic() + timeout_s)

    return prepare


def _use_write_ahead_log(run: Any, deadline: float) -> None:
    # Changing the mode of a new file does not wait for other processes that open it too, so the waiting is done here.
    while run("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            run("PRAGMA journal_mode=WAL")
        except Exception as error:
            if not _code(error).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(timeout_s: float) -> Any:
    def prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {max(1, round(timeout_s * 1000))}")
            cursor.execute("SHOW synchronous_commit")
            if cursor.fetchone()[0] == "off":  # an acknowledged event must survive a power loss
                cursor.execute("SET synchronous_commit = on")
        connection.commit()

    return prepare


def _remember_use(_connection: object, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


def _refuse_dead(engine: Engine) -> Any:
    """Has the pool open another connection in place of one that its server has ended.

    A server that ends a connection says so on it, which the operating system knows without a question. Asking each
    time costs the server an answer for each question that follows.
    """

    def look(connection: Any, record: Any, _holder: object) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or not (_has_heard(connection.fileno()) or time.monotonic() - used_at > _QUIET_S):
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    return look


def _has_heard(descriptor: int) -> bool:
    """Whether something arrived that nobody has read: between two questions only the end, or a notice."""
    watch = select.poll()
    watch.register(descriptor, select.POLLIN)
    return bool(watch.poll(0))


def _code(error: BaseException | None) -> str:
    return str(getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or "")


def _domain_error(error: DBAPIError) -> TasukiError:
    message = str(error.orig).strip().partition("\n")[0]
    if isinstance(error, IntegrityError):
        return Stale(
            said("someone wrote at the same place first ({message})", message=message),
            next_step="read the present state and try again",
        )
    code = _code(error.orig)
    for beginning, (kind, what, next_step) in _MEANINGS.items():
        if code.startswith(beginning):
            return kind(f"{what} ({message})", next_step=next_step)
    return Unavailable(
        said("the ledger's database does not answer as it should ({message})", message=message),
        next_step="check that it runs and can be reached, then try again",
    )
