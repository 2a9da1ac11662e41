-- watch: remembers runs that stay open, and when to look at them again.
INSERT INTO reconciler_watch_list (
    operation_run_id, workspace_id, managed_environment_id, reason_code, first_seen_at,
    last_looked_at, look_again_at, tries, error, run_created_at
)
SELECT
    value ->> '$.operation_run_id', value ->> '$.workspace_id',
    value ->> '$.managed_environment_id', value ->> '$.reason_code', ?2, ?2,
    value ->> '$.look_again_at', value ->> '$.tries', value ->> '$.error', value ->> '$.run_created_at'
FROM json_each(?1)
WHERE true -- without it the parser takes ON CONFLICT for a join condition
ON CONFLICT (operation_run_id) DO UPDATE
SET workspace_id           = excluded.workspace_id,
    managed_environment_id = excluded.managed_environment_id,
    run_created_at         = excluded.run_created_at,
    reason_code            = excluded.reason_code,
    last_looked_at         = excluded.last_looked_at,
    look_again_at          = excluded.look_again_at,
    tries                  = excluded.tries,
    error                  = excluded.error
