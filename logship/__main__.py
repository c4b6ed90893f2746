"""`python -m logship`."""

from logship.cli.main import run

run()
