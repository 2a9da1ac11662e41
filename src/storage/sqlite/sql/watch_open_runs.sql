-- watch_open_runs: remembers that these runs are open.
INSERT INTO reconciler_opinion_watch (operation_run_id, workspace_id, managed_environment_id, run_created_at)
SELECT
    id, workspace_id, managed_environment_id,
    CASE WHEN created_at BETWEEN 0 AND 253402300799999999 THEN created_at END
FROM operation_runs
WHERE id IN (SELECT value FROM json_each(?1))
ON CONFLICT (operation_run_id) DO UPDATE
SET workspace_id           = excluded.workspace_id,
    managed_environment_id = excluded.managed_environment_id,
    run_created_at         = excluded.run_created_at,
    look_again_at          = NULL
