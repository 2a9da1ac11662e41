-- watch_opinions: remembers that these runs are open, or when their opinion may have changed.
INSERT INTO reconciler_opinion_watch (
    operation_run_id, workspace_id, managed_environment_id, run_created_at, look_again_at
)
SELECT
    value ->> '$.operation_run_id', value ->> '$.workspace_id', value ->> '$.managed_environment_id',
    value ->> '$.created_micros', value ->> '$.look_micros'
FROM json_each(?1)
WHERE true -- without it the parser takes ON CONFLICT for a join condition
ON CONFLICT (operation_run_id) DO UPDATE
SET workspace_id           = excluded.workspace_id,
    managed_environment_id = excluded.managed_environment_id,
    run_created_at         = excluded.run_created_at,
    look_again_at          = excluded.look_again_at
