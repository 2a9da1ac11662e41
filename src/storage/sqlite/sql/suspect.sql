-- suspect: remembers open runs that were in the hands of a process that ended.
INSERT INTO reconciler_attempts (
    operation_run_id, workspace_id, managed_environment_id, worker, first_seen_at, try_again_at, run_created_at
)
SELECT
    id, workspace_id, managed_environment_id, ?2,
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000,
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000,
    CASE WHEN created_at BETWEEN 0 AND 253402300799999999 THEN created_at END
FROM operation_runs
WHERE id IN (SELECT value FROM json_each(?1)) AND type = 'restore.execute' AND status IN ('queued', 'running')
ON CONFLICT (operation_run_id) DO UPDATE
SET workspace_id = excluded.workspace_id, managed_environment_id = excluded.managed_environment_id,
    run_created_at = excluded.run_created_at, tries = 0, worker = excluded.worker,
    first_seen_at = excluded.first_seen_at, last_tried_at = NULL, try_again_at = excluded.try_again_at, dead_at = NULL,
    dropped_at = NULL
-- Left by another run with this id.
WHERE reconciler_attempts.workspace_id <> excluded.workspace_id
    OR reconciler_attempts.managed_environment_id <> excluded.managed_environment_id
    OR reconciler_attempts.run_created_at <> excluded.run_created_at
