"""Services as a list and as pages, their projects, agreements and breaches."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_list()
    _create_page()
    _create_projects()
    _create_health()


def _create_list() -> None:
    op.create_table(
        "service_list_v1",
        sa.Column("service_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("name_key", sa.String, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("phase_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String),
        sa.Column("criticality", sa.String),
        sa.Column("category", sa.String),
        sa.Column("service_owner", sa.String),
        sa.Column("business_owner", sa.String),
        sa.Column("service_map", sa.String, nullable=False),
        sa.Column("agreement", sa.String, nullable=False),
        schema="read",
    )
    op.create_index("service_list_v1_name_key", "service_list_v1", ["name_key"], schema="read")


def _create_page() -> None:
    op.create_table(
        "service_page_v1",
        sa.Column("service_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("facts", JSONB, nullable=False),
        sa.Column("owners", JSONB, nullable=False),
        sa.Column("service_map", sa.String, nullable=False),
        sa.Column("agreement", sa.String, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        schema="read",
    )


def _create_projects() -> None:
    op.create_table(
        "service_projects_v1",
        sa.Column("service_id", sa.Uuid, primary_key=True),
        sa.Column("project_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("designation", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("team", sa.String, nullable=False),
        sa.Column("new_service", sa.Boolean, nullable=False),
        sa.Column("known_before", sa.Boolean, nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        schema="read",
    )


def _create_health() -> None:
    op.create_table(
        "service_agreements_v1",
        sa.Column("agreement_id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("services", JSONB, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        schema="read",
    )
    op.create_table(
        "service_breaches_v1",
        sa.Column("agreement_id", sa.Uuid, primary_key=True),
        sa.Column("month", sa.Date, primary_key=True),
        sa.Column("target", sa.String, primary_key=True),
        sa.Column("breaches", sa.Integer, nullable=False),
        schema="read",
    )
