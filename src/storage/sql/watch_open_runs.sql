-- watch_open_runs: remembers that these runs are open.
INSERT INTO reconciler.opinion_watch (operation_run_id, workspace_id, managed_environment_id, run_created_at)
SELECT
    id, workspace_id, managed_environment_id,
    CASE WHEN created_at >= '1970-01-01' AND created_at < '10000-01-01' THEN created_at END
FROM operation_runs
WHERE id = ANY ($1::bigint[])
ON CONFLICT (operation_run_id) DO UPDATE
SET workspace_id           = excluded.workspace_id,
    managed_environment_id = excluded.managed_environment_id,
    run_created_at         = excluded.run_created_at,
    look_again_at          = NULL
