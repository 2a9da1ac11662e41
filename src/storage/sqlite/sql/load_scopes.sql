-- load_scopes: the workspaces and environments of runs, and whether the environment, if there is one, is live.
SELECT
    run.id,
    run.workspace_id,
    run.managed_environment_id,
    run.managed_environment_id IS NULL
        OR EXISTS (
            SELECT 1
            FROM managed_environments AS live
            WHERE live.id = run.managed_environment_id
              AND live.workspace_id = run.workspace_id
              AND live.deleted_at IS NULL
        ) AS is_live
FROM operation_runs AS run
WHERE run.id IN (SELECT value FROM json_each(?1))
