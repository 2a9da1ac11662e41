-- count_open_runs: how many open runs environments have, how many of these are about a preview or a preparation, since
-- when the others are open, and the lowest id of those.
-- Dry runs are known from the watch list, since no index is by them; one that was handed over and has not started is no
-- preparation.
WITH prepared AS MATERIALIZED (
    SELECT restore.operation_run_id AS run_id, restore.managed_environment_id AS environment_id
    FROM restore_runs AS restore
    WHERE restore.managed_environment_id = ANY ($2::bigint[])
      AND restore.status::text IN ('draft', 'scoped', 'checked', 'previewed')
      AND restore.deleted_at IS NULL
), open AS (
    SELECT
        run.managed_environment_id AS environment_id,
        run.id,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END AS created_at,
        EXISTS (
            SELECT FROM prepared WHERE prepared.run_id = run.id AND prepared.environment_id = run.managed_environment_id
        )
        OR EXISTS (
            SELECT
            FROM reconciler.watch_list AS watch
            WHERE watch.operation_run_id = run.id
              AND watch.workspace_id = run.workspace_id
              AND watch.reason_code = 'restore.preview_only'
        ) AS is_prepared
    FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
    JOIN operation_runs AS run
      ON run.workspace_id = ask.workspace_id
     AND run.managed_environment_id = ask.environment_id
    -- Says nothing new, and lets the planner find them in the platform's index over open runs.
    WHERE run.managed_environment_id = ANY ($2::bigint[])
      AND run.type = 'restore.execute'
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
