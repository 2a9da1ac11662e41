-- find_restore: a live restore that a viewer may see, with what is known before it is executed; of an environment that is gone
-- for whoever may see all.
SELECT
    restore.workspace_id,
    restore.managed_environment_id AS environment_id,
    restore.operation_run_id AS points_at,
    left(coalesce(workspace.name, ''), 256)::text AS workspace_name,
    left(coalesce(environment.name, ''), 256)::text AS environment_name,
    left(restore.requested_by, 256)::text AS requested_by,
    environment.id IS NOT NULL AS has_target,
    restore.is_dry_run,
    coalesce(restore.status::text, '') AS status,
    CASE WHEN octet_length(document.requested_items) <= $3
        THEN convert_to(document.requested_items, 'UTF8') END AS requested_items,
    restore.requested_items IS NOT NULL AS has_requested_items,
    CASE WHEN octet_length(document.group_mapping) <= $3
        THEN convert_to(document.group_mapping, 'UTF8') END AS group_mapping,
    restore.group_mapping IS NOT NULL AS has_group_mapping,
    CASE WHEN octet_length(document.preview) <= $3
        THEN convert_to(document.preview, 'UTF8') END AS preview,
    restore.preview IS NOT NULL AS has_preview,
    CASE WHEN octet_length(document.metadata) <= $3
        THEN convert_to(document.metadata, 'UTF8') END AS metadata,
    restore.metadata IS NOT NULL AS has_metadata
FROM restore_runs AS restore
JOIN workspaces AS workspace ON workspace.id = restore.workspace_id
LEFT JOIN managed_environments AS environment
  ON environment.id = restore.managed_environment_id
 AND environment.workspace_id = restore.workspace_id
 AND environment.deleted_at IS NULL
CROSS JOIN LATERAL (
    SELECT
        restore.requested_items::text AS requested_items,
        restore.group_mapping::text AS group_mapping,
        restore.preview::text AS preview,
        restore.metadata::text AS metadata
    OFFSET 0 -- keeps each document from being rendered twice
) AS document
WHERE restore.id = $2
  AND restore.deleted_at IS NULL
  AND restore.managed_environment_id IS NOT NULL
  AND (environment.id IS NOT NULL OR $1::bigint[] IS NULL)
  AND ($1::bigint[] IS NULL OR restore.workspace_id = ANY ($1))
