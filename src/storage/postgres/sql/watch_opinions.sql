-- watch_opinions: remembers that these runs are open, or when their opinion may have changed.
INSERT INTO reconciler.opinion_watch (
    operation_run_id, workspace_id, managed_environment_id, run_created_at, look_again_at
)
SELECT
    operation_run_id, workspace_id, managed_environment_id,
    'epoch'::timestamptz + created_micros * interval '1 microsecond',
    'epoch'::timestamptz + look_micros * interval '1 microsecond'
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS given (
    operation_run_id, workspace_id, managed_environment_id, created_micros, look_micros
)
ON CONFLICT (operation_run_id) DO UPDATE
SET workspace_id           = excluded.workspace_id,
    managed_environment_id = excluded.managed_environment_id,
    run_created_at         = excluded.run_created_at,
    look_again_at          = excluded.look_again_at
