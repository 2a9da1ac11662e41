-- find_older_restores: of each environment, the executed restore with the highest id.
SELECT DISTINCT ON (ask.environment_id)
    restore.id AS restore_id, ask.workspace_id, ask.environment_id, restore.operation_run_id AS points_at
FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
JOIN restore_runs AS restore
  ON restore.workspace_id = ask.workspace_id
 AND restore.managed_environment_id = ask.environment_id
 AND restore.deleted_at IS NULL
-- Says nothing new, and keeps the join small whatever the planner believes about the table.
WHERE restore.managed_environment_id = ANY ($2::bigint[])
  AND restore.is_dry_run = false
  AND coalesce(restore.status::text, '')
      NOT IN ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
ORDER BY ask.environment_id, restore.id DESC
