-- The log of one service, version 1 of the kernel's schema. Frozen: a later kernel adds kernel_v2.sql.
-- {app} is the role that the service's api and worker use; the role that runs this owns everything.

CREATE SCHEMA log;
CREATE SCHEMA read;
CREATE SCHEMA work;

CREATE TABLE log.event (
    position       bigint      PRIMARY KEY,  -- gapless and equal to commit order
    stream         text        NOT NULL,
    stream_id      uuid        NOT NULL,
    version        integer     NOT NULL,
    event_id       uuid        NOT NULL,
    type           text        NOT NULL,
    schema_version smallint    NOT NULL,
    payload        json        NOT NULL,     -- json keeps the bytes that were hashed
    meta           json        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    digest         bytea       NOT NULL,
    hash           bytea       NOT NULL,
    UNIQUE (stream_id, version)
);

CREATE TABLE log.incarnation (
    ordinal    integer     PRIMARY KEY,
    id         uuid        NOT NULL UNIQUE,
    after      bigint      NOT NULL,         -- the head that this life of the log began with
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO log.incarnation (ordinal, id, after) VALUES (1, gen_random_uuid(), 0);

CREATE TABLE log.topic (
    name       text    PRIMARY KEY,
    partitions integer NOT NULL CHECK (partitions > 0),
    applied    bigint  NOT NULL DEFAULT 0    -- how far the outbox of this topic covers the log
);

CREATE TABLE log.outbox (
    position  bigint  NOT NULL,
    topic     text    NOT NULL,
    partition integer NOT NULL,
    prev      bigint  NOT NULL,              -- the position before this one in the same partition; 0 begins it
    PRIMARY KEY (position, topic)
);
CREATE UNIQUE INDEX outbox_partition ON log.outbox (topic, partition, position);

CREATE TABLE log.idempotency (
    key         bytea       PRIMARY KEY,     -- sha256 of principal, method, path and key
    request     bytea       NOT NULL,
    subject     uuid        NOT NULL,
    number      bigint,
    version     integer     NOT NULL,
    position    bigint      NOT NULL,
    recorded_at timestamptz NOT NULL,
    expires_at  timestamptz                  -- NULL: a natural key, kept for ever
);
CREATE INDEX idempotency_expiry ON log.idempotency (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE read.read_model (
    name    text    NOT NULL,
    version integer NOT NULL,
    applied bigint  NOT NULL DEFAULT 0,
    state   text    NOT NULL DEFAULT 'live' CHECK (state IN ('building', 'live', 'stalled')),
    detail  text,
    PRIMARY KEY (name, version)
) WITH (fillfactor = 50);

-- The one writer. Takes the append lock, judges idempotency and versions of whole units in the order given,
-- chains the winners' events to the log, writes their outbox rows and says which read models are at the head.
-- Every statement of a VOLATILE function has its own snapshot, so what follows the lock sees what it waited for.
-- outcomes: 0 appended, 1 stale version, 2 answered before, 3 key used before with another request.
CREATE FUNCTION log.append_v1(
    p_keys bytea[], p_requests bytea[], p_for_ever boolean[], p_numbers bigint[], p_subjects uuid[], p_versions integer[],
    p_step_units integer[], p_step_streams uuid[], p_step_versions integer[], p_step_after integer[],
    p_units integer[], p_streams text[], p_stream_ids uuid[], p_event_versions integer[], p_event_ids uuid[],
    p_types text[], p_schemas smallint[], p_payloads text[], p_metas text[], p_digests bytea[],
    p_topics text[], p_partitions integer[],
    p_own_topics text[], p_models text[], p_model_versions integer[],
    OUT behind text[], OUT head bigint, OUT head_after bigint, OUT at timestamptz, OUT outcomes smallint[], OUT positions bigint[],
    OUT models text[], OUT model_versions integer[], OUT model_applied bigint[]
) LANGUAGE plpgsql
-- Planned once per connection, by index whatever the statistics say: with arrays as parameters PostgreSQL would
-- plan every statement anew on each call, which costs three times what running them does.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $append$
DECLARE
    v_hash bytea;
    v_micros bytea;
    v_position bigint;
    -- NULLs from the first place on: an array that began at its first winner would be unnested from there.
    v_event_positions bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_units)]);
    v_event_hashes bytea[] := array_fill(NULL::bytea, ARRAY[cardinality(p_units)]);
    r record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'append needs READ COMMITTED, not %', current_setting('transaction_isolation');
    END IF;
    PERFORM pg_advisory_xact_lock(20817, 1);

    SELECT e.position, e.hash, greatest(clock_timestamp(), e.recorded_at) INTO head, v_hash, at
    FROM log.event e ORDER BY e.position DESC LIMIT 1;
    IF head IS NULL THEN
        head := 0;
        v_hash := decode(repeat('00', 32), 'hex');
        at := clock_timestamp();
    END IF;
    head_after := head;

    SELECT array_agg(t.name) INTO behind FROM log.topic t WHERE t.name = ANY (p_own_topics) AND t.applied < head;
    IF behind IS NOT NULL THEN
        RETURN;
    END IF;

    outcomes := array_fill(0::smallint, ARRAY[cardinality(p_keys)]);
    positions := array_fill(head, ARRAY[cardinality(p_keys)]);
    FOR r IN
        SELECT u.n, i.request = u.request AS same
        FROM unnest(p_keys, p_requests) WITH ORDINALITY AS u (key, request, n)
        JOIN log.idempotency i ON i.key = u.key
        WHERE u.key IS NOT NULL AND (i.expires_at IS NULL OR i.expires_at > at)
    LOOP
        outcomes[r.n] := CASE WHEN r.same THEN 2 ELSE 3 END;
    END LOOP;

    FOR r IN
        SELECT s.unit, s.version, s.after, CASE WHEN s.after = 0 THEN coalesce(
            (SELECT e.version FROM log.event e WHERE e.stream_id = s.stream ORDER BY e.version DESC LIMIT 1), 0) END AS actual
        FROM unnest(p_step_units, p_step_streams, p_step_versions, p_step_after) WITH ORDINALITY
            AS s (unit, stream, version, after, n)
        ORDER BY s.n
    LOOP
        IF outcomes[r.unit] = 0 AND (
            (r.after = 0 AND r.actual <> r.version)
            OR (r.after > 0 AND p_step_units[r.after] <> r.unit AND outcomes[p_step_units[r.after]] <> 0)
        ) THEN
            outcomes[r.unit] := 1;
        END IF;
    END LOOP;

    v_position := head;
    v_micros := int8send((extract(epoch FROM at) * 1000000)::bigint);
    FOR r IN
        SELECT e.n, e.unit, e.digest, uuid_send(e.stream_id) || int4send(e.version) || convert_to(e.type, 'UTF8') AS place
        FROM unnest(p_units, p_digests, p_stream_ids, p_event_versions, p_types) WITH ORDINALITY
            AS e (unit, digest, stream_id, version, type, n)
        ORDER BY e.n
    LOOP
        IF outcomes[r.unit] = 0 THEN
            v_position := v_position + 1;
            v_hash := sha256(v_hash || r.digest || int8send(v_position) || r.place || v_micros);
            v_event_positions[r.n] := v_position;
            v_event_hashes[r.n] := v_hash;
            positions[r.unit] := v_position;
        END IF;
    END LOOP;
    head_after := v_position;

    IF v_position > head THEN
        INSERT INTO log.event (position, stream, stream_id, version, event_id, type, schema_version,
                               payload, meta, recorded_at, digest, hash)
        SELECT e.position, e.stream, e.stream_id, e.version, e.event_id, e.type, e.schema_version,
               e.payload::json, e.meta::json, at, e.digest, e.hash
        FROM unnest(v_event_positions, p_streams, p_stream_ids, p_event_versions, p_event_ids, p_types, p_schemas,
                    p_payloads, p_metas, p_digests, v_event_hashes)
            AS e (position, stream, stream_id, version, event_id, type, schema_version, payload, meta, digest, hash)
        WHERE e.position IS NOT NULL;

        INSERT INTO log.outbox (position, topic, partition, prev)
        SELECT o.position, o.topic, o.partition, coalesce(
            lag(o.position) OVER (PARTITION BY o.topic, o.partition ORDER BY o.position),
            (SELECT p.position FROM log.outbox p WHERE p.topic = o.topic AND p.partition = o.partition
             ORDER BY p.position DESC LIMIT 1),
            0)
        FROM unnest(v_event_positions, p_topics, p_partitions) AS o (position, topic, partition)
        WHERE o.position IS NOT NULL AND o.topic IS NOT NULL;

        UPDATE log.topic t SET applied = v_position WHERE t.name = ANY (p_own_topics);

        WITH mine AS (
            SELECT m.name, m.version, m.applied FROM read.read_model m
            WHERE (m.name, m.version) IN (SELECT * FROM unnest(p_models, p_model_versions)) AND m.state = 'live'
            FOR UPDATE SKIP LOCKED
        ), advanced AS (
            UPDATE read.read_model m SET applied = v_position FROM mine
            WHERE m.name = mine.name AND m.version = mine.version AND mine.applied = append_v1.head
        )
        SELECT array_agg(mine.name), array_agg(mine.version), array_agg(mine.applied)
        INTO models, model_versions, model_applied FROM mine;
    END IF;

    INSERT INTO log.idempotency AS i (key, request, subject, number, version, position, recorded_at, expires_at)
    SELECT u.key, u.request, u.subject, u.number, u.version, u.position, at,
           CASE WHEN u.for_ever THEN NULL ELSE at + interval '7 days' END
    FROM unnest(p_keys, p_requests, p_for_ever, p_numbers, p_subjects, p_versions, positions, outcomes)
        AS u (key, request, for_ever, number, subject, version, position, outcome)
    WHERE u.key IS NOT NULL AND u.outcome = 0
    ON CONFLICT (key) DO UPDATE SET request = excluded.request, subject = excluded.subject, number = excluded.number,
        version = excluded.version, position = excluded.position, recorded_at = excluded.recorded_at,
        expires_at = excluded.expires_at WHERE i.expires_at <= excluded.recorded_at;
END
$append$;

GRANT USAGE ON SCHEMA log, read, work TO {app};
GRANT SELECT, INSERT ON log.event, log.outbox, log.incarnation TO {app};
GRANT SELECT, INSERT, UPDATE ON log.topic TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON log.idempotency TO {app};
GRANT EXECUTE ON FUNCTION log.append_v1 TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA read TO {app};
ALTER DEFAULT PRIVILEGES IN SCHEMA read GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};
ALTER DEFAULT PRIVILEGES IN SCHEMA work GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};
ALTER DEFAULT PRIVILEGES IN SCHEMA log GRANT USAGE ON SEQUENCES TO {app};
