"""The team: where time goes, and what waits for whom."""
