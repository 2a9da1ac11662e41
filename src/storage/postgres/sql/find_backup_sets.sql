-- find_backup_sets: of each environment, the live completed backup set with the highest id.
SELECT DISTINCT ON (ask.environment_id)
    ask.environment_id AS owner,
    source.id,
    left(coalesce(source.name, ''), 256)::text AS name,
    coalesce(source.status::text, '') AS status,
    source.completed_at,
    false AS is_deleted
FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
JOIN backup_sets AS source
  ON source.workspace_id = ask.workspace_id
 AND source.managed_environment_id = ask.environment_id
 AND source.status::text = 'completed'
 AND source.deleted_at IS NULL
-- Says nothing new, and keeps the join small whatever the planner believes about the table.
WHERE source.managed_environment_id = ANY ($2::bigint[])
ORDER BY ask.environment_id, source.id DESC
