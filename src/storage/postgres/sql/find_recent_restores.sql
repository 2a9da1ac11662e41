-- find_recent_restores: of each environment, the executed restore with the highest id, as far as it is among the
-- last $3 restores of all. That finds most of them without an index that begins with the environment.
WITH recent AS MATERIALIZED (
    SELECT
        restore.id, restore.workspace_id, restore.managed_environment_id, restore.operation_run_id,
        restore.is_dry_run, restore.status, restore.deleted_at
    FROM restore_runs AS restore
    ORDER BY restore.id DESC
    LIMIT $3
)
SELECT DISTINCT ON (ask.environment_id)
    recent.id AS restore_id, ask.workspace_id, ask.environment_id, recent.operation_run_id AS points_at
FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
JOIN recent
  ON recent.workspace_id = ask.workspace_id
 AND recent.managed_environment_id = ask.environment_id
 AND recent.deleted_at IS NULL
WHERE recent.is_dry_run = false
  AND coalesce(recent.status::text, '')
      NOT IN ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
ORDER BY ask.environment_id, recent.id DESC
