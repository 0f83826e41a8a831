"""A seeded world for docs, tests and the demo: a simulated ad exchange, a team's history, and readers of real logs."""
