"""Lets alembic migrate sla's database."""  # noqa: INP001

from shared.eventsourcing.migrating import run_environment

run_environment()
