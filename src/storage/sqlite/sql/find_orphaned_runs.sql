-- find_orphaned_runs: how many open runs belong to environments that were deleted, or are of another workspace by now; at
-- most ?1 environments.
SELECT
    run.workspace_id,
    CAST(substr(coalesce(workspace.name, ''), 1, 256) AS TEXT) AS workspace_name,
    run.managed_environment_id AS environment_id,
    count(*) AS runs
FROM operation_runs AS run
JOIN workspaces AS workspace ON workspace.id = run.workspace_id
WHERE +run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
  AND run.managed_environment_id IS NOT NULL
  AND NOT EXISTS (
      SELECT 1
      FROM managed_environments AS environment
      WHERE environment.id = run.managed_environment_id
        AND environment.workspace_id = run.workspace_id
        AND environment.deleted_at IS NULL
  )
GROUP BY run.workspace_id, run.managed_environment_id
ORDER BY run.workspace_id, run.managed_environment_id
LIMIT ?1
