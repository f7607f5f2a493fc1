"""The kernel's schema, version 1: the log, its register of read models, messaging."""

from shared.eventsourcing.migrating import run_script
from shared.eventsourcing.schema import kernel_sql, work_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_script(kernel_sql(1, app_role="catalog_app"))
    run_script(work_sql(1, app_role="catalog_app"))
