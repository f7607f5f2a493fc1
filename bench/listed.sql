-- Requests as they lie about after three years: `$1` rows, the oldest first, the same rows on every run.
-- A third was imported from another tool; what is old is closed, what is new is not; some services, groups
-- and units are asked often and most seldom; one service was given up and one kind came late.
INSERT INTO read.request_list_v1 (
    request_id, number, kind, title, state, hold, requester_id, requester_name, business_unit, channel,
    source_type, source_system, external_id, service, category, impact, urgency, priority, assignment_group,
    assignee, submitted_at, needed_by, changed_at, breaches, breached_at_source, converted_to, target_id, historic
)
SELECT
    (lpad(to_hex((extract(epoch FROM d.at) * 1000)::bigint), 12, '0') || '7' || substr(d.mark, 1, 3) || '8'
        || substr(d.mark, 4, 15))::uuid,
    'REQ-' || extract(year FROM d.at) || '-' || lpad(d.n::text, 6, '0'),
    CASE WHEN d.age < 0.1 AND d.u < 0.02 THEN 'complaint' WHEN d.u < 0.45 THEN 'service_request'
         WHEN d.u < 0.9 THEN 'incident' WHEN d.u < 0.97 THEN 'business_request' ELSE 'enhancement' END,
    'A laptop for colleague ' || d.mark || ' in the back office',
    CASE WHEN d.age < 0.002 THEN 'submitted'
         WHEN d.age < 0.02 AND d.v < 0.6
         THEN (ARRAY['triaged', 'accepted', 'in_fulfilment', 'in_fulfilment', 'on_hold'])[1 + floor(d.v / 0.12)::int]
         WHEN d.v < 0.03 THEN 'rejected' WHEN d.v < 0.06 THEN 'withdrawn' WHEN d.v < 0.08 THEN 'converted'
         WHEN d.age < 0.03 THEN 'fulfilled' ELSE 'closed' END,
    NULL,
    md5('person' || floor(d.w * greatest($1 / 50, 1)))::uuid,
    'Colleague ' || floor(d.w * greatest($1 / 50, 1)),
    'Unit ' || floor(60 * d.x * d.x),
    CASE WHEN d.imported THEN 'import' WHEN d.v < 0.5 THEN 'portal' ELSE 'phone' END,
    'business_unit',
    CASE WHEN d.imported THEN 'servicenow' WHEN d.x < 0.1 THEN 'monitoring' END,
    CASE WHEN d.imported THEN 'INC' || d.n WHEN d.x < 0.1 THEN 'ALERT-' || d.mark END,
    CASE WHEN d.age > 0.8 AND d.x < 0.01 THEN 'Fax gateway' ELSE 'Service ' || floor(200 * d.y * d.y * d.y) END,
    'hardware', 'medium', 'low',
    CASE WHEN d.z < 0.01 THEN 1 WHEN d.z < 0.06 THEN 2 WHEN d.z < 0.4 THEN 3 WHEN d.z < 0.9 THEN 4 ELSE 5 END,
    CASE WHEN d.age >= 0.004 THEN 'Group ' || floor(120 * d.y * d.y * d.z) END,
    CASE WHEN d.age >= 0.004 THEN 'agent' || floor(500 * d.z) END,
    d.at, NULL, d.at + interval '3 hours',
    (d.x > 0.97)::int, d.imported AND d.v > 0.95, NULL, NULL, d.imported
FROM (
    SELECT n, n <= $1 / 3 AS imported, md5(n::text) AS mark, ($1 - n) / $1::float8 AS age,
           now() - ($1 - n) / $1::float8 * interval '3 years' AS at,
           (hashint8extended(n, 1) & 16777215) / 16777216.0::float8 AS u,
           (hashint8extended(n, 2) & 16777215) / 16777216.0::float8 AS v,
           (hashint8extended(n, 3) & 16777215) / 16777216.0::float8 AS w,
           (hashint8extended(n, 4) & 16777215) / 16777216.0::float8 AS x,
           (hashint8extended(n, 5) & 16777215) / 16777216.0::float8 AS y,
           (hashint8extended(n, 6) & 16777215) / 16777216.0::float8 AS z
    FROM generate_series(1::bigint, $1::bigint) AS n
) d
