-- Clocks that run: `$1` records that the agreement `$2` covers, each with one clock and its due row, the first due
-- in an hour, the last in 90 days. Of each record its read models' rows alone, the same on every run.
WITH armed AS MATERIALIZED (
    SELECT n, md5('due' || m)::uuid AS timer_id, md5('clock' || m)::uuid AS clock_id,
           (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(m, 1, 3) || '8' || substr(m, 4, 15))::uuid
               AS record_id,
           date_trunc('second', now()) + interval '1 hour'
               + (hashint8extended(n, 1) & 16777215) / 16777216.0::float8 * interval '90 days' AS due_at
    FROM (SELECT n, md5(n::text) AS m FROM generate_series(1::bigint, $1::bigint) AS n) d
), due AS (
    INSERT INTO read.due_v1 (timer_id, kind, subject, seq, due_at, attached_at, sources)
    SELECT timer_id, 'deadline', record_id, 2, due_at, now(), 'intake' FROM armed
), records AS (
    INSERT INTO read.records_v1 (record_id, record, number, service, customer, opened_at, seq, historic, covered)
    SELECT record_id, 'request', 'REQ-2026-' || lpad(n::text, 6, '0'), 'Service ' || n % 200, 'Unit ' || n % 60,
           now(), 2, false, true FROM armed
)
INSERT INTO read.clocks_v1 (clock_id, record_id, record, agreement_id, target, target_version, state, started_at,
                            limit_seconds, due_at, threshold, historic, reason)
SELECT clock_id, record_id, 'request', $2::uuid, 'fulfilment', 1, 'running', now(), 7200, due_at, 0, false, ''
FROM armed
