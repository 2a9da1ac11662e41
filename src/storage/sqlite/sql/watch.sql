-- watch: remembers runs that stay open, and when to look at them again.
INSERT INTO reconciler_watch_list (
    operation_run_id, workspace_id, managed_environment_id, reason_code, first_seen_at,
    last_looked_at, look_again_at, tries, error
)
SELECT
    value ->> '$.operation_run_id', value ->> '$.workspace_id',
    value ->> '$.managed_environment_id', value ->> '$.reason_code', ?2, ?2,
    value ->> '$.look_again_at', value ->> '$.tries', value ->> '$.error'
FROM json_each(?1)
WHERE true -- without it the parser takes ON CONFLICT for a join condition
ON CONFLICT (operation_run_id) DO UPDATE
SET reason_code    = excluded.reason_code,
    last_looked_at = excluded.last_looked_at,
    look_again_at  = excluded.look_again_at,
    tries          = excluded.tries,
    error          = excluded.error
