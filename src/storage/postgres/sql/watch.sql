-- watch: remembers runs that stay open, and when to look at them again.
INSERT INTO reconciler.watch_list (
    operation_run_id, workspace_id, managed_environment_id, reason_code, first_seen_at,
    last_looked_at, look_again_at, tries, error
)
SELECT
    operation_run_id, workspace_id, managed_environment_id, reason_code, statement_timestamp(),
    statement_timestamp(), 'epoch'::timestamptz + look_again_at * interval '1 microsecond', tries, error
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])
    AS entry (operation_run_id, workspace_id, managed_environment_id, reason_code, look_again_at, tries, error)
ORDER BY operation_run_id
ON CONFLICT (operation_run_id) DO UPDATE
SET reason_code    = excluded.reason_code,
    last_looked_at = excluded.last_looked_at,
    look_again_at  = excluded.look_again_at,
    tries          = excluded.tries,
    error          = excluded.error
