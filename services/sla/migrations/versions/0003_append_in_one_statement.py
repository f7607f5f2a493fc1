"""The append as one statement, rows of read models as types: the kernel's schema 2."""

from shared.eventsourcing.migrating import run_script
from shared.eventsourcing.schema import kernel_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_script(kernel_sql(2, app_role="sla_app"))
