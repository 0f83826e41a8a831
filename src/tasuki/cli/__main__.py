"""`python -m tasuki.cli`: the same command where no `tasuki` is on the path."""

from tasuki.cli.main import run

run()
