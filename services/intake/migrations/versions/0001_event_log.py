"""The log, its read model register and the messaging tables: the kernel's schema 1."""

from shared.eventsourcing.migrating import run_script
from shared.eventsourcing.schema import kernel_sql, work_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_script(kernel_sql(1, app_role="intake_app"))
    run_script(work_sql(1, app_role="intake_app"))
