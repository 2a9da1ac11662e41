-- load_restores: the restores that the link rule chose, each in its run's own scope.
-- A request that is null means the whole backup set: its items that were not deleted before the restore started.
SELECT
    restore.id,
    restore.workspace_id,
    restore.managed_environment_id AS environment_id,
    restore.is_dry_run,
    coalesce(restore.status, '')::text AS status,
    CASE WHEN octet_length(document.requested_items) <= $4
        THEN convert_to(document.requested_items, 'UTF8') END AS requested_items,
    restore.requested_items IS NOT NULL AS has_requested_items,
    CASE WHEN coalesce(btrim(document.requested_items, E' \t\n\r'), 'null') = 'null' THEN (
        SELECT coalesce((
            SELECT string_agg(held.id::text, ',')
            FROM (
                SELECT item.id
                FROM backup_items AS item
                WHERE item.backup_set_id = backup.id
                  AND (item.deleted_at IS NULL OR date_trunc('second', item.deleted_at)
                      >= date_trunc('second', coalesce(restore.started_at, restore.created_at)))
                ORDER BY item.id
                LIMIT $5
            ) AS held
        ), '')
        FROM backup_sets AS backup
        WHERE backup.id = restore.backup_set_id
          AND backup.workspace_id = ask.workspace_id
          AND backup.managed_environment_id = ask.environment_id
    ) END AS backup_items,
    CASE WHEN octet_length(document.results) <= $4
        THEN convert_to(document.results, 'UTF8') END AS results,
    restore.results IS NOT NULL AS has_results,
    CASE WHEN octet_length(document.metadata) <= $4
        THEN convert_to(document.metadata, 'UTF8') END AS metadata,
    restore.metadata IS NOT NULL AS has_metadata,
    left(restore.failure_reason, 256) AS failure_reason,
    restore.started_at,
    restore.completed_at,
    restore.created_at,
    restore.updated_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
    AS ask (restore_id, workspace_id, environment_id)
JOIN restore_runs AS restore
  ON restore.id = ask.restore_id
 AND restore.workspace_id = ask.workspace_id
 AND restore.managed_environment_id = ask.environment_id
 AND restore.deleted_at IS NULL
CROSS JOIN LATERAL (
    SELECT
        restore.requested_items::text AS requested_items,
        restore.results::text AS results,
        restore.metadata::text AS metadata
    OFFSET 0 -- keeps each document from being rendered twice
) AS document
