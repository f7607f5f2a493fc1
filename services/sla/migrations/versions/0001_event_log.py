"""The event log, its outbox, and the work tables of consumers and timers."""

from shared.eventsourcing.migrating import run_script
from shared.eventsourcing.schema import kernel_sql, work_sql

revision, down_revision = "0001", None


def upgrade() -> None:
    run_script(kernel_sql(1, app_role="sla_app"))
    run_script(work_sql(1, app_role="sla_app"))
