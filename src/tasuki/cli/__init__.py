"""The command line: translates options to actions and results to tables or JSON."""
