-- find_latest_restores: of each environment, the restore that was executed last. It ended, or started where no end is
-- noted, or was created where neither is; what lies beyond ?2 or at the beginning of time is no moment.
WITH executed AS (
    SELECT
        restore.id AS restore_id,
        restore.workspace_id,
        restore.managed_environment_id AS environment_id,
        restore.operation_run_id AS points_at,
        CASE WHEN typeof(restore.completed_at) = 'integer' AND restore.completed_at BETWEEN 1 AND ?2
            THEN restore.completed_at END AS ended,
        CASE WHEN typeof(restore.started_at) = 'integer' AND restore.started_at BETWEEN 1 AND ?2
            THEN restore.started_at END AS started,
        CASE WHEN typeof(restore.created_at) = 'integer' AND restore.created_at BETWEEN 1 AND ?2
            THEN restore.created_at END AS created
    FROM json_each(?1) AS ask
    CROSS JOIN restore_runs AS restore
      ON restore.managed_environment_id = ask.value ->> '$.environment'
     AND +restore.workspace_id = ask.value ->> '$.workspace'
     AND restore.deleted_at IS NULL
    WHERE restore.is_dry_run = 0
      AND coalesce(restore.status, '')
          NOT IN ('draft', 'scoped', 'checked', 'previewed', 'pending', 'queued', 'running')
)
SELECT latest.restore_id, latest.workspace_id, latest.environment_id, latest.points_at
FROM (
    SELECT
        executed.*,
        row_number() OVER (
            PARTITION BY environment_id
            ORDER BY
                coalesce(max(coalesce(ended, started), coalesce(started, ended)), created) DESC NULLS LAST,
                started DESC NULLS LAST,
                restore_id DESC
        ) AS place
    FROM executed
) AS latest
WHERE latest.place = 1
