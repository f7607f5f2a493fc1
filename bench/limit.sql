-- The tables of the limits: one event, one row of a read model, keys and nothing more.
CREATE TABLE event (
    position    bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id   uuid        NOT NULL,
    version     integer     NOT NULL,
    event_id    uuid        NOT NULL,
    type        text        NOT NULL,
    payload     json        NOT NULL,
    meta        json        NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (stream_id, version)
);
CREATE TABLE projection (
    request_id   uuid        PRIMARY KEY,
    number       text        NOT NULL,
    title        text        NOT NULL,
    state        text        NOT NULL,
    requester_id uuid        NOT NULL,
    submitted_at timestamptz NOT NULL
);
