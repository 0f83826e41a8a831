"""Brings a ledger's tables to the version this code needs, once, however many processes open it at the same time."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from tasuki.errors import Invalid, Unavailable
from tasuki.store.database import reading, writing
from tasuki.store.schema import VERSION_TABLE, metadata

HEAD = "0004"
"""The newest migration. Kept here so that opening an up-to-date ledger need not load Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up_to_date(engine: Engine) -> None:
    """Runs the missing migrations in one transaction: all of them or, after a crash, none.

    Raises:
        Invalid: The database belongs to something else.
        Unavailable: The ledger was written by a newer tasuki.
    """
    with reading(engine) as connection:
        if _version(connection) == HEAD:
            return
    with writing(engine) as connection:  # others wait here, then find the work done
        found = _version(connection)
        if found == HEAD:
            return
        if found is None:
            _refuse_strangers(connection)
        _upgrade(connection, found)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _refuse_strangers(connection: Connection) -> None:
    # An SQLite file is the ledger's alone; a PostgreSQL schema may hold other tables, but none of the same name.
    tables = set(inspect(connection).get_table_names())
    strangers = sorted(tables if connection.dialect.name == "sqlite" else tables & set(metadata.tables))
    if strangers:
        raise Invalid(
            f"the database holds tables that are not tasuki's: {', '.join(strangers)}",
            expected="a ledger, or a place where there is none yet",
            next_step="check the ledger's address in tasuki.toml",
        )


def _upgrade(connection: Connection, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise Unavailable(
            f"the ledger was written by a newer tasuki (its version is {found}, this one knows {HEAD})",
            next_step="update tasuki, then try again",
        )
    command.upgrade(config, "head")
