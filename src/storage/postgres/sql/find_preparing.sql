-- find_preparing: of each environment, the restore that is being prepared and has the highest id.
SELECT ask.environment_id, max(restore.id) AS restore_id
FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
JOIN restore_runs AS restore
  ON restore.workspace_id = ask.workspace_id
 AND restore.managed_environment_id = ask.environment_id
 AND restore.deleted_at IS NULL
-- Says nothing new, and keeps the join small whatever the planner believes about the table.
WHERE restore.managed_environment_id = ANY ($2::bigint[])
  AND restore.status::text IN ('draft', 'scoped', 'checked', 'previewed', 'pending')
GROUP BY ask.environment_id
