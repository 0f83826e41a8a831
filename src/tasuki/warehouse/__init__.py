"""What tasuki reads: event logs, asked in the engine's own SQL."""
