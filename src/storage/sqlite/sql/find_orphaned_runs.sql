-- find_orphaned_runs: how many open runs belong to environments that were deleted, or are of another workspace by now; of
-- workspace ?2 alone where it is given, at most ?1 environments, and how many there are in all. Runs about previews and
-- preparations are left out, as count_open_runs has them.
WITH open AS MATERIALIZED (
    SELECT
        run.id, run.workspace_id, run.managed_environment_id,
        CASE WHEN json_valid(run.context) THEN CAST(run.context ->> '$.restore_run_id' AS INTEGER) END AS named
    FROM operation_runs AS run
    WHERE +run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      AND run.managed_environment_id IS NOT NULL
      AND (?2 IS NULL OR +run.workspace_id = ?2)
      AND NOT EXISTS (
          SELECT 1
          FROM managed_environments AS environment
          WHERE environment.id = run.managed_environment_id
            AND environment.workspace_id = run.workspace_id
            AND environment.deleted_at IS NULL
      )
), told AS MATERIALIZED (
    SELECT
        restore.operation_run_id AS run_id, restore.id, restore.workspace_id, restore.managed_environment_id,
        restore.is_dry_run, restore.status, restore.started_at
    FROM restore_runs AS restore
    WHERE restore.operation_run_id IN (SELECT open.id FROM open)
      AND restore.deleted_at IS NULL
    UNION ALL
    SELECT
        open.id, restore.id, restore.workspace_id, restore.managed_environment_id,
        restore.is_dry_run, restore.status, restore.started_at
    FROM open
    CROSS JOIN restore_runs AS restore
      ON restore.id = open.named
     AND restore.operation_run_id IS NULL
     AND restore.deleted_at IS NULL
), prepared AS MATERIALIZED (
    SELECT open.id
    FROM open
    JOIN told
      ON told.run_id = open.id
     AND told.workspace_id = open.workspace_id
     AND told.managed_environment_id = open.managed_environment_id
    GROUP BY open.id
    HAVING
        min(
            coalesce(told.is_dry_run, 1) <> 0
            OR (
                told.started_at IS NULL
                AND coalesce(told.status, '') IN ('draft', 'scoped', 'checked', 'previewed')
            )
        )
        AND (open.named IS NULL OR max(told.id = open.named))
)
SELECT
    open.workspace_id,
    CAST(substr(coalesce(workspace.name, ''), 1, 256) AS TEXT) AS workspace_name,
    open.managed_environment_id AS environment_id,
    count(*) AS runs,
    count(*) OVER () AS environments
FROM open
JOIN workspaces AS workspace ON workspace.id = open.workspace_id
LEFT JOIN prepared ON prepared.id = open.id
WHERE prepared.id IS NULL
GROUP BY open.workspace_id, workspace.name, open.managed_environment_id
ORDER BY open.workspace_id, open.managed_environment_id
LIMIT ?1
