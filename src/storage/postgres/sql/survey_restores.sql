-- survey_restores: the newest restores that ended, each with the run that it points at and what it says. $1: how many.
-- $2: among how many of the newest rows, so that it costs the same however many there are. $3: the longest document that
-- is read, in bytes; none where it is 0.
SELECT
    restore.id,
    restore.workspace_id,
    restore.managed_environment_id AS environment_id,
    restore.operation_run_id AS run_id,
    coalesce(restore.status::text, '') AS status,
    CASE WHEN octet_length(document.results) <= $3 THEN convert_to(document.results, 'UTF8') END AS results,
    CASE WHEN octet_length(document.metadata) <= $3 THEN convert_to(document.metadata, 'UTF8') END AS metadata,
    left(restore.failure_reason, 256) AS failure_reason
FROM (
    SELECT
        id, workspace_id, managed_environment_id, operation_run_id, status, is_dry_run, results, metadata,
        failure_reason, deleted_at
    FROM restore_runs
    ORDER BY id DESC
    LIMIT $2
) AS restore
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN $3 > 0 THEN restore.results::text END AS results,
        CASE WHEN $3 > 0 THEN restore.metadata::text END AS metadata
    OFFSET 0 -- keeps each document from being rendered twice
) AS document
WHERE restore.deleted_at IS NULL
  AND restore.managed_environment_id IS NOT NULL
  AND restore.is_dry_run IS NOT TRUE
  AND coalesce(restore.status::text, '') NOT IN
      ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
ORDER BY restore.id DESC
LIMIT $1
