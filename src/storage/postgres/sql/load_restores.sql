-- load_restores: the restores that the link rule chose, each in its run's own scope.
-- A request that is null means the whole backup set: its items that were not deleted before the restore started. Items
-- are looked up at once for all sets, by index if there is one; where no set is asked for, nothing is.
WITH asked AS MATERIALIZED (
    SELECT
        restore.id,
        restore.backup_set_id,
        ask.workspace_id,
        ask.environment_id,
        date_trunc('second', coalesce(restore.started_at, restore.created_at)) AS started_at
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
        AS ask (restore_id, workspace_id, environment_id)
    JOIN restore_runs AS restore
      ON restore.id = ask.restore_id
     AND restore.workspace_id = ask.workspace_id
     AND restore.managed_environment_id = ask.environment_id
     AND restore.deleted_at IS NULL
    WHERE coalesce(btrim(restore.requested_items::text, E' \t\n\r'), 'null') = 'null'
), whole AS MATERIALIZED (
    SELECT ask.id AS restore_id, backup.id AS set_id, ask.started_at
    FROM asked AS ask
    JOIN backup_sets AS backup
      ON backup.id = ask.backup_set_id
     AND backup.workspace_id = ask.workspace_id
     AND backup.managed_environment_id = ask.environment_id
), held AS MATERIALIZED (
    SELECT item.id, item.backup_set_id AS set_id, item.deleted_at
    FROM backup_items AS item
    WHERE item.backup_set_id = ANY (ARRAY(SELECT set_id FROM whole))
      AND EXISTS (SELECT 1 FROM whole)
), listed AS (
    SELECT placed.restore_id, string_agg(placed.item_id::text, ',') AS backup_items
    FROM (
        SELECT
            whole.restore_id,
            held.id AS item_id,
            row_number() OVER (PARTITION BY whole.restore_id ORDER BY held.id) AS place
        FROM whole
        LEFT JOIN held
          ON held.set_id = whole.set_id
         AND (held.deleted_at IS NULL OR date_trunc('second', held.deleted_at) >= whole.started_at)
    ) AS placed
    WHERE placed.place <= $5
    GROUP BY placed.restore_id
)
SELECT
    restore.id,
    restore.workspace_id,
    restore.managed_environment_id AS environment_id,
    restore.is_dry_run,
    coalesce(restore.status::text, '') AS status,
    CASE WHEN octet_length(document.requested_items) <= $4
        THEN convert_to(document.requested_items, 'UTF8') END AS requested_items,
    restore.requested_items IS NOT NULL AS has_requested_items,
    CASE WHEN listed.restore_id IS NOT NULL THEN coalesce(listed.backup_items, '') END AS backup_items,
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
LEFT JOIN listed ON listed.restore_id = restore.id
CROSS JOIN LATERAL (
    SELECT
        restore.requested_items::text AS requested_items,
        restore.results::text AS results,
        restore.metadata::text AS metadata
    OFFSET 0 -- keeps each document from being rendered twice
) AS document
