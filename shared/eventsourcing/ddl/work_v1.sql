-- What a service remembers about its work between two processes, version 1: leases, how far it has heard others,
-- messages set aside. Frozen: a later kernel adds work_v2.sql. The app role's rights come with the schema (kernel_v1).

CREATE TABLE work.lease (
    name       text        PRIMARY KEY,
    owner      uuid        NOT NULL,         -- one per process start
    epoch      bigint      NOT NULL,         -- rises with every change of owner; fences what the former one still writes
    expires_at timestamptz NOT NULL          -- by the database's clock
);

CREATE TABLE work.relay_checkpoint (
    name        text        PRIMARY KEY,
    epoch       bigint      NOT NULL,
    position    bigint      NOT NULL,        -- everything public up to here was acknowledged by the broker
    hash        bytea       NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE work.checkpoint (
    consumer    text        NOT NULL,
    source      text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    incarnation uuid,                        -- NULL until the first message
    position    bigint      NOT NULL DEFAULT 0,
    hash        bytea       NOT NULL DEFAULT '',
    heard_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, source, topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE work.source_head (              -- how far the feed of a source has been read, all partitions together
    consumer text        NOT NULL,
    source   text        NOT NULL,
    position bigint      NOT NULL DEFAULT 0,
    hash     bytea       NOT NULL DEFAULT '',
    heard_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, source)
) WITH (fillfactor = 50);

CREATE TABLE work.parked_key (
    consumer  text        NOT NULL,
    source    text        NOT NULL,
    topic     text        NOT NULL,
    partition integer     NOT NULL,
    key       bytea       NOT NULL,
    error     text        NOT NULL,          -- of the message that the others wait behind
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, source, topic, key)
);

CREATE TABLE work.parked_message (
    consumer     text        NOT NULL,
    source       text        NOT NULL,
    topic        text        NOT NULL,
    partition    integer     NOT NULL,
    foreign_born boolean     NOT NULL,       -- not one of ours: stands for itself, blocks no key, is never replayed
    position     bigint      NOT NULL,       -- in the source's log; of a foreign message: its offset in the partition
    key          bytea,
    headers      jsonb       NOT NULL,       -- [[name, base64 of the value], ...]
    value        bytea,
    error        text        NOT NULL,
    parked_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, source, topic, partition, foreign_born, position)
);
CREATE INDEX parked_message_key ON work.parked_message (consumer, source, topic, key, position) WHERE NOT foreign_born;
