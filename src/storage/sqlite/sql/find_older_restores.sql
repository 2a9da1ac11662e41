-- find_older_restores: of each environment, the executed restore with the highest id.
SELECT latest.restore_id, latest.workspace_id, latest.environment_id, latest.points_at
FROM (
    SELECT
        restore.id AS restore_id,
        restore.workspace_id,
        restore.managed_environment_id AS environment_id,
        restore.operation_run_id AS points_at,
        row_number() OVER (PARTITION BY restore.managed_environment_id ORDER BY restore.id DESC) AS place
    FROM json_each(?1) AS ask
    CROSS JOIN restore_runs AS restore
      ON restore.managed_environment_id = ask.value ->> '$.environment'
     AND +restore.workspace_id = ask.value ->> '$.workspace'
     AND restore.deleted_at IS NULL
    WHERE restore.is_dry_run = 0
      AND coalesce(restore.status, '')
          NOT IN ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
) AS latest
WHERE latest.place = 1
