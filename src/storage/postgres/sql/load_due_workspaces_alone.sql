-- load_due_workspaces_alone: as load_due_workspaces, where nothing of ours is in the database yet: each open run is due.
SELECT run.workspace_id, count(*) AS runs, max(run.id) AS last
FROM operation_runs AS run
WHERE run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
  AND (run.managed_environment_id IS NULL OR run.managed_environment_id IS NOT NULL)
  AND ($1::bigint IS NULL OR run.workspace_id = $1)
  AND (run.workspace_id % $3 + $3) % $3 = $2
GROUP BY run.workspace_id
ORDER BY run.workspace_id
