-- count_open_runs: how many open runs environments have, how many of these are about a preview or a preparation, since
-- when the others are open, and the lowest id of those.
-- Dry runs are known from the watch list; one that was handed over and has not started is no preparation.
WITH open AS (
    SELECT
        run.managed_environment_id AS environment_id,
        run.id,
        CASE WHEN typeof(run.created_at) = 'integer' AND run.created_at >= 0 THEN run.created_at END AS created_at,
        EXISTS (
            SELECT 1
            FROM restore_runs AS restore
            WHERE restore.managed_environment_id = run.managed_environment_id
              AND restore.status IN ('draft', 'scoped', 'checked', 'previewed')
              AND restore.operation_run_id = run.id
              AND restore.deleted_at IS NULL
        )
        OR EXISTS (
            SELECT 1
            FROM reconciler_watch_list AS watch
            WHERE watch.operation_run_id = run.id
              AND +watch.workspace_id = run.workspace_id
              AND watch.reason_code = 'restore.preview_only'
        ) AS is_prepared
    FROM json_each(?1) AS ask
    CROSS JOIN operation_runs AS run
      ON run.managed_environment_id = ask.value ->> '$.environment'
     AND run.managed_environment_id IS NOT NULL
     AND +run.workspace_id = ask.value ->> '$.workspace'
    WHERE +run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
)
SELECT
    environment_id,
    count(*) AS runs,
    count(*) FILTER (WHERE is_prepared) AS not_executed,
    min(created_at) FILTER (WHERE NOT is_prepared) AS oldest,
    min(id) FILTER (WHERE NOT is_prepared) AS first
FROM open
GROUP BY environment_id
