-- load_scopes: the workspaces and environments of runs.
SELECT id, workspace_id, managed_environment_id
FROM operation_runs
WHERE id IN (SELECT value FROM json_each(?1))
