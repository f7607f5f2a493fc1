-- The keys of data subjects, version 1. This database has a short backup life, or an erasure would come back.
CREATE TABLE subject_key (
    subject    uuid        PRIMARY KEY,
    key        bytea,                        -- NULL once erased; the row stays, so no second key is ever made
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at  timestamptz
);
GRANT SELECT, INSERT, UPDATE ON subject_key TO {app};
