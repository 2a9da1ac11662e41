-- survey_restores: the newest restores that ended, each with the run that it points at and what it says. ?1: how many.
-- ?2: among how many of the newest rows, so that it costs the same however many there are. ?3: the longest document that
-- is read, in bytes.
SELECT
    restore.id,
    restore.workspace_id,
    restore.managed_environment_id AS environment_id,
    restore.operation_run_id AS run_id,
    CAST(coalesce(restore.status, '') AS TEXT) AS status,
    CASE WHEN octet_length(restore.results) <= ?3 THEN CAST(restore.results AS BLOB) END AS results,
    CASE WHEN octet_length(restore.metadata) <= ?3 THEN CAST(restore.metadata AS BLOB) END AS metadata,
    CAST(substr(restore.failure_reason, 1, 256) AS TEXT) AS failure_reason
FROM (SELECT * FROM restore_runs ORDER BY id DESC LIMIT ?2) AS restore
WHERE restore.deleted_at IS NULL
  AND restore.managed_environment_id IS NOT NULL
  AND restore.is_dry_run IS NOT TRUE
  AND coalesce(restore.status, '') NOT IN
      ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
ORDER BY restore.id DESC
LIMIT ?1
