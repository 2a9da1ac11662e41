-- find_restore: a live restore that a viewer may see, with what is known before it is executed; of an environment that is gone
-- for whoever may see all.
SELECT
    restore.workspace_id,
    restore.managed_environment_id AS environment_id,
    restore.operation_run_id AS points_at,
    CAST(substr(coalesce(workspace.name, ''), 1, 256) AS TEXT) AS workspace_name,
    CAST(substr(coalesce(environment.name, ''), 1, 256) AS TEXT) AS environment_name,
    CAST(substr(restore.requested_by, 1, 256) AS TEXT) AS requested_by,
    environment.id IS NOT NULL AS has_target,
    restore.is_dry_run <> 0 AS is_dry_run,
    CAST(coalesce(restore.status, '') AS TEXT) AS status,
    CASE WHEN octet_length(restore.requested_items) <= ?3
        THEN CAST(restore.requested_items AS BLOB) END AS requested_items,
    restore.requested_items IS NOT NULL AS has_requested_items,
    CASE WHEN octet_length(restore.group_mapping) <= ?3
        THEN CAST(restore.group_mapping AS BLOB) END AS group_mapping,
    restore.group_mapping IS NOT NULL AS has_group_mapping,
    CASE WHEN octet_length(restore.preview) <= ?3
        THEN CAST(restore.preview AS BLOB) END AS preview,
    restore.preview IS NOT NULL AS has_preview,
    CASE WHEN octet_length(restore.metadata) <= ?3
        THEN CAST(restore.metadata AS BLOB) END AS metadata,
    restore.metadata IS NOT NULL AS has_metadata
FROM restore_runs AS restore
JOIN workspaces AS workspace ON workspace.id = restore.workspace_id
LEFT JOIN managed_environments AS environment
  ON environment.id = restore.managed_environment_id
 AND environment.workspace_id = restore.workspace_id
 AND environment.deleted_at IS NULL
WHERE restore.id = ?2
  AND restore.deleted_at IS NULL
  AND restore.managed_environment_id IS NOT NULL
  AND (environment.id IS NOT NULL OR ?1 IS NULL)
  AND (?1 IS NULL OR restore.workspace_id IN (SELECT value FROM json_each(?1)))
