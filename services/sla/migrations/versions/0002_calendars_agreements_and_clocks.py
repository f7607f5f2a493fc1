"""Calendars, agreements, what they cover, records heard of, clocks and due rows."""

from shared.eventsourcing.migrating import run_script

revision, down_revision = "0002", "0001"

TABLES = """
CREATE TABLE read.calendars_v1 (
    calendar_id uuid NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    zone text NOT NULL,
    effective_from timestamptz,
    zone_release text NOT NULL,
    pattern jsonb NOT NULL,
    holiday_source jsonb NOT NULL,
    maintenance jsonb NOT NULL,
    PRIMARY KEY (calendar_id, version)
);

CREATE TABLE read.agreements_v1 (
    agreement_id uuid NOT NULL,
    version integer NOT NULL,
    stage text NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    revision text NOT NULL,
    signed_by_provider text NOT NULL,
    signed_by_customer text NOT NULL,
    in_force_from timestamptz NOT NULL,
    ends_at timestamptz,
    terms jsonb NOT NULL,
    PRIMARY KEY (agreement_id, version)
);

CREATE TABLE read.covers_v1 (
    agreement_id uuid NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    services jsonb NOT NULL,
    customers jsonb NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    terms jsonb NOT NULL,
    PRIMARY KEY (agreement_id, version)
);

CREATE TABLE read.records_v1 (
    record_id uuid NOT NULL,
    record text NOT NULL,
    number text NOT NULL,
    service text NOT NULL,
    customer text NOT NULL,
    opened_at timestamptz NOT NULL,
    seq integer NOT NULL,
    historic boolean NOT NULL,
    covered boolean,
    PRIMARY KEY (record_id)
);
CREATE INDEX records_v1_covered_opened_at ON read.records_v1 (covered, opened_at, record_id);

CREATE TABLE read.clocks_v1 (
    clock_id uuid NOT NULL,
    record_id uuid NOT NULL,
    record text NOT NULL,
    agreement_id uuid NOT NULL,
    target text NOT NULL,
    target_version integer NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    limit_seconds integer NOT NULL,
    due_at timestamptz,
    threshold integer NOT NULL,
    breached_at timestamptz,
    detected_at timestamptz,
    ended_at timestamptz,
    elapsed_seconds integer,
    reason text NOT NULL,
    historic boolean NOT NULL,
    PRIMARY KEY (clock_id)
);
CREATE INDEX clocks_v1_at_risk ON read.clocks_v1 (due_at, clock_id) WHERE state = 'running' AND breached_at IS NULL;
CREATE INDEX clocks_v1_record_id ON read.clocks_v1 (record_id);

CREATE TABLE read.due_v1 (
    timer_id uuid NOT NULL,
    kind text NOT NULL,
    subject uuid NOT NULL,
    seq integer NOT NULL,
    due_at timestamptz NOT NULL,
    attached_at timestamptz NOT NULL,
    sources text NOT NULL,
    PRIMARY KEY (timer_id)
);
CREATE INDEX due_v1_sources_due_at ON read.due_v1 (sources, due_at, timer_id);
"""


def upgrade() -> None:
    run_script(TABLES)
