-- find_sources: the backup sets of restores, each in its restore's own scope, deleted or not.
SELECT
    restore.id AS owner,
    source.id,
    CAST(substr(coalesce(source.name, ''), 1, 256) AS TEXT) AS name,
    CAST(coalesce(source.status, '') AS TEXT) AS status,
    source.completed_at,
    source.deleted_at IS NOT NULL AS is_deleted
FROM json_each(?1) AS ask
JOIN restore_runs AS restore
  ON restore.id = ask.value ->> '$.restore'
 AND restore.workspace_id = ask.value ->> '$.workspace'
 AND restore.managed_environment_id = ask.value ->> '$.environment'
 AND restore.deleted_at IS NULL
JOIN backup_sets AS source
  ON source.id = restore.backup_set_id
 AND source.workspace_id = restore.workspace_id
 AND source.managed_environment_id = restore.managed_environment_id
