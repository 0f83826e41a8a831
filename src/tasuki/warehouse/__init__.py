"""What tasuki reads: event logs, asked in the engine's own SQL."""

from tasuki.warehouse.engine import Warehouse
from tasuki.warehouse.source import Source, source_of

__all__ = ["Source", "Warehouse", "source_of"]
