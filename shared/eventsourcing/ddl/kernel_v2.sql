-- The append as one statement, version 2 of the kernel's schema. Frozen: a later kernel adds kernel_v3.sql.
-- {app} is the role that the service's api and worker use; the role that runs this owns everything.

-- Payloads are mostly sealed boxes, which do not get smaller: trying cost a tenth of an append.
ALTER TABLE log.event SET (toast_tuple_target = 8160);

-- What an append brings, as arrays of rows: a column each would cost its sender twice the time. `unit` counts from 1.
CREATE TYPE log.new_unit AS (key bytea, request bytea, for_ever boolean, number bigint, subject uuid, version integer);
CREATE TYPE log.new_step AS (unit integer, stream uuid, version integer, after integer);
CREATE TYPE log.new_event AS (
    stream text, stream_id uuid, version integer, event_id uuid, type text, schema_version smallint,
    payload text, meta text, digest bytea, topic text, partition integer, unit integer
);

-- The last moment, in microseconds since 1970, up to which a head was told to be complete: nothing may be recorded
-- at or before it any more. A sequence, because no transaction has to commit for others to see it.
CREATE SEQUENCE log.told_until;

-- A read model's row as a type of its own, its columns by name: the table's own type goes when a rebuild puts another
-- table in its place. Call it in every migration that adds a table.
CREATE FUNCTION read.declare_rows() RETURNS void LANGUAGE plpgsql AS $rows$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT c.relname AS name, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attname COLLATE "C") AS columns
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        WHERE c.relnamespace = 'read'::regnamespace AND c.relkind = 'r' AND c.relname ~ '_v[0-9]+$'
          AND to_regtype(format('read.%I', c.relname || '_row')) IS NULL
        GROUP BY c.relname
    LOOP
        EXECUTE format('CREATE TYPE read.%I AS (%s)', r.name || '_row', r.columns);
    END LOOP;
END
$rows$;
SELECT read.declare_rows();

-- The one writer. Takes the append lock, judges idempotency and versions of whole units in the order given,
-- chains the winners' events to the log, writes their outbox rows and says which read models are at the head.
-- Every statement of a VOLATILE function has its own snapshot, so what follows the lock sees what it waited for.
-- outcomes: 0 appended, 1 stale version, 2 answered before, 3 key used before with another request.
--
-- With `p_head` and `p_at` the caller has foreseen the outcome: every unit is appended behind that head, recorded at
-- that moment, and every read model named is at the head. If any of it proves wrong the whole statement is undone
-- with SQLSTATE PL001.
CREATE FUNCTION log.append_v2(
    p_units log.new_unit[], p_steps log.new_step[], p_events log.new_event[],
    p_own_topics text[], p_models text[], p_model_versions integer[], p_head bigint, p_at timestamptz,
    OUT clock timestamptz, OUT behind text[], OUT head bigint, OUT head_after bigint, OUT at timestamptz,
    OUT outcomes smallint[], OUT positions bigint[],
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
    v_event_positions bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_events)]);
    v_event_hashes bytea[] := array_fill(NULL::bytea, ARRAY[cardinality(p_events)]);
    r record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'append needs READ COMMITTED, not %', current_setting('transaction_isolation');
    END IF;
    PERFORM pg_advisory_xact_lock(20817, 1);
    clock := clock_timestamp();

    SELECT e.position, e.hash, greatest(clock, e.recorded_at) INTO head, v_hash, at
    FROM log.event e ORDER BY e.position DESC LIMIT 1;
    IF head IS NULL THEN
        head := 0;
        v_hash := decode(repeat('00', 32), 'hex');
        at := clock;
    END IF;
    head_after := head;

    IF p_head IS NOT NULL THEN
        -- A moment before now is as good as now as long as nobody was told that nothing comes before it any more.
        IF head <> p_head OR p_at > clock OR p_at < clock - interval '1 second'
            OR p_at < (SELECT e.recorded_at FROM log.event e WHERE e.position = head)
            OR (SELECT extract(epoch FROM p_at) * 1000000 <= t.last_value FROM log.told_until t)
        THEN
            RAISE EXCEPTION 'the log is not at % any more', p_head USING ERRCODE = 'PL001';
        END IF;
        at := p_at;
    END IF;

    SELECT array_agg(t.name) INTO behind FROM log.topic t WHERE t.name = ANY (p_own_topics) AND t.applied < head;
    IF behind IS NOT NULL THEN
        IF p_head IS NOT NULL THEN
            RAISE EXCEPTION 'topics are behind' USING ERRCODE = 'PL001';
        END IF;
        RETURN;
    END IF;

    outcomes := array_fill(0::smallint, ARRAY[cardinality(p_units)]);
    positions := array_fill(head, ARRAY[cardinality(p_units)]);
    FOR r IN
        SELECT u.n, i.request = u.request AS same
        FROM unnest(p_units) WITH ORDINALITY AS u (key, request, for_ever, number, subject, version, n)
        JOIN log.idempotency i ON i.key = u.key
        WHERE u.key IS NOT NULL AND (i.expires_at IS NULL OR i.expires_at > at)
    LOOP
        outcomes[r.n] := CASE WHEN r.same THEN 2 ELSE 3 END;
    END LOOP;

    FOR r IN
        SELECT s.unit, s.version, s.after, CASE WHEN s.after = 0 THEN coalesce(
            (SELECT e.version FROM log.event e WHERE e.stream_id = s.stream ORDER BY e.version DESC LIMIT 1), 0) END AS actual
        FROM unnest(p_steps) WITH ORDINALITY AS s (unit, stream, version, after, n)
        ORDER BY s.n
    LOOP
        IF outcomes[r.unit] = 0 AND (
            (r.after = 0 AND r.actual <> r.version)
            OR (r.after > 0 AND p_steps[r.after].unit <> r.unit AND outcomes[p_steps[r.after].unit] <> 0)
        ) THEN
            outcomes[r.unit] := 1;
        END IF;
    END LOOP;
    IF p_head IS NOT NULL AND 0 <> ANY (outcomes) THEN
        RAISE EXCEPTION 'not every unit can be appended' USING ERRCODE = 'PL001';
    END IF;

    v_position := head;
    v_micros := int8send((extract(epoch FROM at) * 1000000)::bigint);
    FOR r IN
        SELECT e.n, e.unit, e.digest, uuid_send(e.stream_id) || int4send(e.version) || convert_to(e.type, 'UTF8') AS place
        FROM unnest(p_events) WITH ORDINALITY
            AS e (stream, stream_id, version, event_id, type, schema_version, payload, meta, digest, topic, partition, unit, n)
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
        FROM ROWS FROM (unnest(p_events), unnest(v_event_positions), unnest(v_event_hashes))
            AS e (stream, stream_id, version, event_id, type, schema_version, payload, meta, digest, topic, partition, unit, position, hash)
        WHERE e.position IS NOT NULL;

        INSERT INTO log.outbox (position, topic, partition, prev)
        SELECT o.position, o.topic, o.partition, coalesce(
            lag(o.position) OVER (PARTITION BY o.topic, o.partition ORDER BY o.position),
            (SELECT p.position FROM log.outbox p WHERE p.topic = o.topic AND p.partition = o.partition
             ORDER BY p.position DESC LIMIT 1),
            0)
        FROM ROWS FROM (unnest(p_events), unnest(v_event_positions))
            AS o (stream, stream_id, version, event_id, type, schema_version, payload, meta, digest, topic, partition, unit, position)
        WHERE o.position IS NOT NULL AND o.topic IS NOT NULL;

        UPDATE log.topic t SET applied = v_position WHERE t.name = ANY (p_own_topics);

        WITH mine AS (
            SELECT m.name, m.version, m.applied FROM read.read_model m
            WHERE (m.name, m.version) IN (SELECT * FROM unnest(p_models, p_model_versions)) AND m.state = 'live'
            FOR UPDATE SKIP LOCKED
        ), advanced AS (
            UPDATE read.read_model m SET applied = v_position FROM mine
            WHERE m.name = mine.name AND m.version = mine.version AND mine.applied = append_v2.head
        )
        SELECT array_agg(mine.name), array_agg(mine.version), array_agg(mine.applied)
        INTO models, model_versions, model_applied FROM mine;
    END IF;
    IF p_head IS NOT NULL AND (coalesce(cardinality(models), 0) <> cardinality(p_models) OR p_head <> ANY (model_applied)) THEN
        RAISE EXCEPTION 'read models are behind' USING ERRCODE = 'PL001';
    END IF;

    INSERT INTO log.idempotency AS i (key, request, subject, number, version, position, recorded_at, expires_at)
    SELECT u.key, u.request, u.subject, u.number, u.version, u.position, at,
           CASE WHEN u.for_ever THEN NULL ELSE at + interval '7 days' END
    FROM ROWS FROM (unnest(p_units), unnest(positions), unnest(outcomes))
        AS u (key, request, for_ever, number, subject, version, position, outcome)
    WHERE u.key IS NOT NULL AND u.outcome = 0
    ON CONFLICT (key) DO UPDATE SET request = excluded.request, subject = excluded.subject, number = excluded.number,
        version = excluded.version, position = excluded.position, recorded_at = excluded.recorded_at,
        expires_at = excluded.expires_at WHERE i.expires_at <= excluded.recorded_at;
END
$append$;

GRANT EXECUTE ON FUNCTION log.append_v2 TO {app};
GRANT SELECT, UPDATE ON SEQUENCE log.told_until TO {app};
