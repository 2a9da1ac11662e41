-- suspect: remembers open runs that were in the hands of a process that ended.
INSERT INTO reconciler_attempts (
    operation_run_id, workspace_id, managed_environment_id, worker, first_seen_at, try_again_at
)
SELECT
    id, workspace_id, managed_environment_id, ?2,
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000,
    CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
FROM operation_runs
WHERE id IN (SELECT value FROM json_each(?1)) AND type = 'restore.execute' AND status IN ('queued', 'running')
ON CONFLICT (operation_run_id) DO NOTHING
