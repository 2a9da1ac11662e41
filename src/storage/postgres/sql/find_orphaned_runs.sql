-- find_orphaned_runs: how many open runs belong to environments that were deleted, or are of another workspace by now; at
-- most $1 environments.
WITH open AS MATERIALIZED (
    SELECT run.workspace_id, run.managed_environment_id, run.id
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      AND run.managed_environment_id IS NOT NULL
)
SELECT
    open.workspace_id,
    left(coalesce(workspace.name, ''), 256)::text AS workspace_name,
    open.managed_environment_id AS environment_id,
    count(*) AS runs
FROM open
JOIN workspaces AS workspace ON workspace.id = open.workspace_id
WHERE (open.managed_environment_id, open.workspace_id) NOT IN (
    SELECT environment.id, environment.workspace_id
    FROM managed_environments AS environment
    WHERE environment.deleted_at IS NULL
)
GROUP BY open.workspace_id, workspace.name, open.managed_environment_id
ORDER BY open.workspace_id, open.managed_environment_id
LIMIT $1
