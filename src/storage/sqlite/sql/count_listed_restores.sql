-- count_listed_restores: of the highest of a viewer's live restores, ?2 at most, how many are of which kind.
SELECT
    count(*) AS restores,
    count(*) FILTER (WHERE NOT is_preparing) AS executed,
    count(*) FILTER (WHERE is_preparing) AS preparing,
    count(*) FILTER (WHERE NOT is_preparing AND operation_run_id IS NULL) AS without_run
FROM (
    SELECT
        restore.operation_run_id,
        coalesce(restore.is_dry_run, 0) <> 0
            OR coalesce(restore.status, '') IN ('draft', 'scoped', 'checked', 'previewed', 'pending') AS is_preparing
    FROM restore_runs AS restore
    WHERE restore.deleted_at IS NULL
      AND (?1 IS NULL OR +restore.workspace_id IN (SELECT value FROM json_each(?1)))
      AND EXISTS (
          SELECT 1
          FROM managed_environments AS live
          WHERE live.id = restore.managed_environment_id
            AND live.workspace_id = restore.workspace_id
            AND live.deleted_at IS NULL
      )
    ORDER BY restore.id DESC
    LIMIT ?2
) AS looked
