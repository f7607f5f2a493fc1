"""Requests as a list, changes as a board, and the numbers that both are called by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE SEQUENCE log.request_number")
    op.execute("CREATE SEQUENCE log.rfc_number")
    _create_request_list()
    _create_rfc_board()


def _create_request_list() -> None:
    op.create_table(
        "request_list_v1",
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("hold", sa.Text),
        sa.Column("requester_id", sa.Uuid, nullable=False),
        sa.Column("requester_name", sa.Text),
        sa.Column("business_unit", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("source_type", sa.Text, nullable=False),
        sa.Column("source_system", sa.Text),
        sa.Column("external_id", sa.Text),
        sa.Column("service", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("impact", sa.Text, nullable=False),
        sa.Column("urgency", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("assignment_group", sa.Text),
        sa.Column("assignee", sa.Text),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("needed_by", sa.DateTime(timezone=True)),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("breaches", sa.Integer, nullable=False),
        sa.Column("breached_at_source", sa.Boolean, nullable=False),
        sa.Column("converted_to", sa.Text),
        sa.Column("target_id", sa.Uuid),
        sa.Column("historic", sa.Boolean, nullable=False),
        schema="read",
    )
    newest = (sa.text("submitted_at DESC"), sa.text("request_id DESC"))
    op.create_index("request_list_v1_newest", "request_list_v1", [*newest], schema="read")
    op.create_index("request_list_v1_state", "request_list_v1", ["state", *newest], schema="read")
    op.create_index(
        "request_list_v1_source",
        "request_list_v1",
        ["source_system", sa.text("md5(external_id)")],
        schema="read",
    )
    op.create_index("request_list_v1_requester", "request_list_v1", ["requester_id"], schema="read")


def _create_rfc_board() -> None:
    op.create_table(
        "rfc_board_v1",
        sa.Column("rfc_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("change_type", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("requester_id", sa.Uuid, nullable=False),
        sa.Column("request_id", sa.Uuid),
        sa.Column("category", sa.Text),
        sa.Column("priority", sa.Integer),
        sa.Column("risk_level", sa.Text),
        sa.Column("risk_score", sa.Integer),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("needed_by", sa.DateTime(timezone=True)),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deferred_until", sa.DateTime(timezone=True)),
        sa.Column("starts_at", sa.DateTime(timezone=True)),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text),
        sa.Column("project_id", sa.Uuid),
        schema="read",
    )
    newest = (sa.text("drafted_at DESC"), sa.text("rfc_id DESC"))
    op.create_index("rfc_board_v1_newest", "rfc_board_v1", [*newest], schema="read")
    op.create_index("rfc_board_v1_state", "rfc_board_v1", ["state", *newest], schema="read")
