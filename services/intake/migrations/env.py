"""Alembic's entry: the kernel runs the migrations on the database it was given."""

# ruff: noqa: INP001  alembic loads it by its path
from shared.eventsourcing.migrating import run_environment

run_environment()
