"""What tasuki reads: event logs, asked in the engine's own SQL."""

from tasuki.warehouse.duckdb_engine import Warehouse
from tasuki.warehouse.engine import Engine
from tasuki.warehouse.opening import open_engine
from tasuki.warehouse.source import Source, source_of

__all__ = ["Engine", "Source", "Warehouse", "open_engine", "source_of"]
