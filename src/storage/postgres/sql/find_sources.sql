-- find_sources: the backup sets of restores, each in its restore's own scope, deleted or not.
SELECT
    restore.id AS owner,
    source.id,
    left(coalesce(source.name, ''), 256)::text AS name,
    coalesce(source.status::text, '') AS status,
    source.completed_at,
    source.deleted_at IS NOT NULL AS is_deleted
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
    AS ask (restore_id, workspace_id, environment_id)
JOIN restore_runs AS restore
  ON restore.id = ask.restore_id
 AND restore.workspace_id = ask.workspace_id
 AND restore.managed_environment_id = ask.environment_id
 AND restore.deleted_at IS NULL
JOIN backup_sets AS source
  ON source.id = restore.backup_set_id
 AND source.workspace_id = ask.workspace_id
 AND source.managed_environment_id = ask.environment_id
