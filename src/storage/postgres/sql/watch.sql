-- watch: remembers runs that stay open, and when to look at them again.
INSERT INTO reconciler.watch_list (
    operation_run_id, workspace_id, managed_environment_id, reason_code, first_seen_at,
    last_looked_at, look_again_at, tries, error, run_created_at
)
SELECT
    operation_run_id, workspace_id, managed_environment_id, reason_code, statement_timestamp(),
    statement_timestamp(), 'epoch'::timestamptz + look_again_at * interval '1 microsecond', tries, error,
    'epoch'::timestamptz + run_created_at * interval '1 microsecond'
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
    $8::bigint[]) AS entry (
        operation_run_id, workspace_id, managed_environment_id, reason_code, look_again_at, tries, error, run_created_at
    )
ORDER BY operation_run_id
ON CONFLICT (operation_run_id) DO UPDATE
SET workspace_id           = excluded.workspace_id,
    managed_environment_id = excluded.managed_environment_id,
    run_created_at         = excluded.run_created_at,
    reason_code            = excluded.reason_code,
    last_looked_at         = excluded.last_looked_at,
    look_again_at          = excluded.look_again_at,
    tries                  = excluded.tries,
    error                  = excluded.error
