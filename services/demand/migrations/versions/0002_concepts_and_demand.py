"""Concepts and their numbers, advisory boards, and the counters of demand."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_concepts()
    _create_boards_and_demand()


def _create_concepts() -> None:
    op.execute("CREATE SEQUENCE log.concept_number")
    op.create_table(
        "concept_list_v1",
        sa.Column("concept_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("phase_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("designation", sa.String),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("business_unit", sa.String, nullable=False),
        sa.Column("budget", sa.Numeric),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("owner", sa.String),
        sa.Column("team", sa.String),
        sa.Column("deferred_until", sa.Date),
        sa.Column("rfc_id", sa.Uuid),
        sa.Column("request_id", sa.Uuid),
        schema="read",
    )
    op.create_index("concept_list_v1_phase", "concept_list_v1", ["phase", "concept_id"], schema="read")


def _create_boards_and_demand() -> None:
    op.create_table(
        "board_list_v1",
        sa.Column("board_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("board", JSONB, nullable=False),
        sa.Column("appointed_by", sa.String, nullable=False),
        sa.Column("appointed_at", sa.DateTime(timezone=True), nullable=False),
        schema="read",
    )
    op.create_table(
        "request_demand_v1",
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("service", sa.String, primary_key=True),
        sa.Column("business_unit", sa.String, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("incidents", sa.BigInteger, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("rfcs", sa.BigInteger, nullable=False),
        sa.Column("breaches", sa.BigInteger, nullable=False),
        sa.Column("historic", sa.BigInteger, nullable=False),
        schema="read",
    )
