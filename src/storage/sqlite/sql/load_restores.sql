-- load_restores: the restores that the link rule chose, each in its run's own scope.
-- A request that is null means the whole backup set: its items that were not deleted before the restore started.
SELECT
    restore.id,
    restore.workspace_id,
    restore.managed_environment_id AS environment_id,
    restore.is_dry_run <> 0 AS is_dry_run,
    CAST(coalesce(restore.status, '') AS TEXT) AS status,
    CASE WHEN octet_length(restore.requested_items) <= ?2
        THEN CAST(restore.requested_items AS BLOB) END AS requested_items,
    restore.requested_items IS NOT NULL AS has_requested_items,
    CASE WHEN coalesce(trim(CAST(restore.requested_items AS TEXT), char(32, 9, 10, 13)), 'null') = 'null' THEN (
        SELECT coalesce((
            SELECT group_concat(held.id)
            FROM (
                SELECT item.id
                FROM backup_items AS item
                WHERE item.backup_set_id = backup.id
                  AND (typeof(item.deleted_at) <> 'integer' OR item.deleted_at / 1000000
                      >= coalesce(restore.started_at, restore.created_at) / 1000000)
                ORDER BY item.id
                LIMIT ?3
            ) AS held
        ), '')
        FROM backup_sets AS backup
        WHERE backup.id = restore.backup_set_id
          AND backup.workspace_id = ask.value ->> '$.workspace'
          AND backup.managed_environment_id = ask.value ->> '$.environment'
    ) END AS backup_items,
    CASE WHEN octet_length(restore.results) <= ?2
        THEN CAST(restore.results AS BLOB) END AS results,
    restore.results IS NOT NULL AS has_results,
    CASE WHEN octet_length(restore.metadata) <= ?2
        THEN CAST(restore.metadata AS BLOB) END AS metadata,
    restore.metadata IS NOT NULL AS has_metadata,
    CAST(substr(CAST(restore.failure_reason AS BLOB), 1, 1024) AS TEXT) AS failure_reason,
    restore.started_at,
    restore.completed_at,
    restore.created_at,
    restore.updated_at
FROM json_each(?1) AS ask
JOIN restore_runs AS restore
  ON restore.id = ask.value ->> '$.restore'
 AND restore.workspace_id = ask.value ->> '$.workspace'
 AND restore.managed_environment_id = ask.value ->> '$.environment'
 AND restore.deleted_at IS NULL
