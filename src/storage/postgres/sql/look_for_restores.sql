-- look_for_restores: the highest of a viewer's live restores below $3, of one environment where $2 names it, at most $4 of
-- them, and which of these are of the kind $5: executed, executed without naming a run, or still being prepared.
-- An environment's are found by its index, which a condition that may be null would not use.
WITH looked AS MATERIALIZED (
    (
        SELECT
            restore.id, restore.workspace_id, restore.managed_environment_id, restore.operation_run_id, restore.is_dry_run,
            restore.status
        FROM restore_runs AS restore
        WHERE $2::bigint IS NULL
          AND restore.deleted_at IS NULL
          AND ($1::bigint[] IS NULL OR restore.workspace_id = ANY ($1))
          AND ($3::bigint IS NULL OR restore.id < $3)
          AND (
              -- Never so, and keeps what follows from becoming a join that reads all restores.
              restore.managed_environment_id IS NULL
              OR (restore.managed_environment_id, restore.workspace_id) IN (
                  SELECT environment.id, environment.workspace_id
                  FROM managed_environments AS environment
                  WHERE environment.deleted_at IS NULL
              )
          )
        ORDER BY restore.id DESC
        LIMIT $4
    )
    UNION ALL
    (
        SELECT
            restore.id, restore.workspace_id, restore.managed_environment_id, restore.operation_run_id, restore.is_dry_run,
            restore.status
        FROM restore_runs AS restore
        WHERE restore.managed_environment_id = $2::bigint
          AND restore.deleted_at IS NULL
          AND ($1::bigint[] IS NULL OR restore.workspace_id = ANY ($1))
          AND ($3::bigint IS NULL OR restore.id < $3)
          AND (
              -- Never so, and keeps what follows from becoming a join that reads all restores.
              restore.managed_environment_id IS NULL
              OR (restore.managed_environment_id, restore.workspace_id) IN (
                  SELECT environment.id, environment.workspace_id
                  FROM managed_environments AS environment
                  WHERE environment.deleted_at IS NULL
              )
          )
        ORDER BY restore.id DESC
        LIMIT $4
    )
)
SELECT
    looked.id AS restore_id,
    looked.workspace_id,
    looked.managed_environment_id AS environment_id,
    looked.operation_run_id AS points_at,
    left(coalesce(workspace.name, ''), 256)::text AS workspace_name,
    left(coalesce(environment.name, ''), 256)::text AS environment_name,
    CASE
        WHEN $5::text IS NULL THEN true
        WHEN $5 = 'preparing' THEN looked.is_preparing
        WHEN $5 = 'without_run' THEN NOT looked.is_preparing AND looked.operation_run_id IS NULL
        ELSE NOT looked.is_preparing
    END AS is_wanted
FROM (
    SELECT
        id, workspace_id, managed_environment_id, operation_run_id,
        coalesce(is_dry_run, false)
            OR coalesce(status::text, '') IN ('draft', 'scoped', 'checked', 'previewed', 'pending') AS is_preparing
    FROM looked
) AS looked
JOIN workspaces AS workspace ON workspace.id = looked.workspace_id
JOIN managed_environments AS environment ON environment.id = looked.managed_environment_id
ORDER BY looked.id DESC
