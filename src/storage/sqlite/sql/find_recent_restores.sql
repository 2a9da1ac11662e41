-- find_recent_restores: of each environment, the executed restore with the highest id, as far as it is among the
-- last ?2 restores of all. That finds most of them without an index that begins with the environment.
WITH recent AS MATERIALIZED (
    SELECT
        restore.id, restore.workspace_id, restore.managed_environment_id, restore.operation_run_id,
        restore.is_dry_run, restore.status, restore.deleted_at
    FROM restore_runs AS restore
    ORDER BY restore.id DESC
    LIMIT ?2
)
SELECT latest.restore_id, latest.workspace_id, latest.environment_id, latest.points_at
FROM (
    SELECT
        recent.id AS restore_id,
        recent.workspace_id,
        recent.managed_environment_id AS environment_id,
        recent.operation_run_id AS points_at,
        row_number() OVER (PARTITION BY recent.managed_environment_id ORDER BY recent.id DESC) AS place
    FROM json_each(?1) AS ask
    JOIN recent
      ON recent.workspace_id = ask.value ->> '$.workspace'
     AND recent.managed_environment_id = ask.value ->> '$.environment'
     AND recent.deleted_at IS NULL
    WHERE recent.is_dry_run = 0
      AND coalesce(recent.status, '')
          NOT IN ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
) AS latest
WHERE latest.place = 1
