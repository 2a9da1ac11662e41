-- look_for_restores: the highest of a viewer's live restores below ?3, of one environment where ?2 names it, at most ?4 of
-- them, and which of these are of the kind ?5: executed, executed without naming a run, or still being prepared.
WITH looked AS MATERIALIZED (
    SELECT *
    FROM (
        SELECT id, workspace_id, managed_environment_id, operation_run_id, is_dry_run, status
        FROM restore_runs AS restore
        WHERE ?2 IS NULL
          AND restore.deleted_at IS NULL
          -- Nothing but the order of ids is to choose the way.
          AND (?1 IS NULL OR +restore.workspace_id IN (SELECT value FROM json_each(?1)))
          AND restore.id < coalesce(?3, 9223372036854775807)
          AND EXISTS (
              SELECT 1
              FROM managed_environments AS live
              WHERE live.id = restore.managed_environment_id
                AND live.workspace_id = restore.workspace_id
                AND live.deleted_at IS NULL
          )
        ORDER BY restore.id DESC
        LIMIT ?4
    )
    UNION ALL
    SELECT *
    FROM (
        SELECT id, workspace_id, managed_environment_id, operation_run_id, is_dry_run, status
        FROM restore_runs AS restore
        WHERE restore.managed_environment_id = ?2
          AND restore.deleted_at IS NULL
          AND (?1 IS NULL OR +restore.workspace_id IN (SELECT value FROM json_each(?1)))
          AND restore.id < coalesce(?3, 9223372036854775807)
          AND EXISTS (
              SELECT 1
              FROM managed_environments AS live
              WHERE live.id = restore.managed_environment_id
                AND live.workspace_id = restore.workspace_id
                AND live.deleted_at IS NULL
          )
        ORDER BY restore.id DESC
        LIMIT ?4
    )
)
SELECT
    looked.id AS restore_id,
    looked.workspace_id,
    looked.managed_environment_id AS environment_id,
    looked.operation_run_id AS points_at,
    CAST(substr(coalesce(workspace.name, ''), 1, 256) AS TEXT) AS workspace_name,
    CAST(substr(coalesce(environment.name, ''), 1, 256) AS TEXT) AS environment_name,
    CASE
        WHEN ?5 IS NULL THEN true
        WHEN ?5 = 'preparing' THEN looked.is_preparing
        WHEN ?5 = 'without_run' THEN NOT looked.is_preparing AND looked.operation_run_id IS NULL
        ELSE NOT looked.is_preparing
    END AS is_wanted
FROM (
    SELECT
        id, workspace_id, managed_environment_id, operation_run_id,
        coalesce(is_dry_run, 0) <> 0
            OR coalesce(status, '') IN ('draft', 'scoped', 'checked', 'previewed', 'pending') AS is_preparing
    FROM looked
) AS looked
JOIN workspaces AS workspace ON workspace.id = looked.workspace_id
JOIN managed_environments AS environment ON environment.id = looked.managed_environment_id
ORDER BY looked.id DESC
