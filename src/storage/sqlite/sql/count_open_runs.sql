-- count_open_runs: how many open runs environments have in each status, how many of these are about a preview or a
-- preparation, when the oldest of the others was created, and which is in its status for longest, since when. Where nobody
-- knows that of a run, it is that one.
-- A run is that where the restore that its context names is one, and all that point at it are; a restore that has started
-- is no preparation.
WITH open AS MATERIALIZED (
    SELECT
        run.id, run.workspace_id, run.managed_environment_id,
        CASE WHEN typeof(run.created_at) = 'integer' AND run.created_at >= 0 THEN run.created_at END AS created_at,
        run.status,
        CASE
            WHEN run.status = 'running' AND run.started_at IS NOT NULL
            THEN CASE WHEN typeof(run.started_at) = 'integer' AND run.started_at >= 0 THEN run.started_at END
            WHEN typeof(run.created_at) = 'integer' AND run.created_at >= 0 THEN run.created_at
        END AS since,
        CASE WHEN json_valid(run.context) THEN CAST(run.context ->> '$.restore_run_id' AS INTEGER) END AS named
    FROM json_each(?1) AS ask
    CROSS JOIN operation_runs AS run
      ON run.managed_environment_id = ask.value ->> '$.environment'
     AND run.managed_environment_id IS NOT NULL
     AND +run.workspace_id = ask.value ->> '$.workspace'
    WHERE +run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
), told AS MATERIALIZED (
    SELECT
        restore.operation_run_id AS run_id, restore.id, restore.workspace_id, restore.managed_environment_id,
        restore.is_dry_run, restore.status, restore.started_at
    FROM restore_runs AS restore
    WHERE restore.operation_run_id IN (SELECT open.id FROM open)
      AND restore.deleted_at IS NULL
    UNION ALL
    SELECT
        open.id, restore.id, restore.workspace_id, restore.managed_environment_id,
        restore.is_dry_run, restore.status, restore.started_at
    FROM open
    CROSS JOIN restore_runs AS restore
      ON restore.id = open.named
     AND restore.operation_run_id IS NULL
     AND restore.deleted_at IS NULL
), prepared AS MATERIALIZED (
    SELECT open.id
    FROM open
    JOIN told
      ON told.run_id = open.id
     AND told.workspace_id = open.workspace_id
     AND told.managed_environment_id = open.managed_environment_id
    GROUP BY open.id
    HAVING
        min(
            coalesce(told.is_dry_run, 1) <> 0
            OR (
                told.started_at IS NULL
                AND coalesce(told.status, '') IN ('draft', 'scoped', 'checked', 'previewed')
            )
        )
        AND (open.named IS NULL OR max(told.id = open.named))
)
SELECT
    open.managed_environment_id AS environment_id,
    count(*) AS runs,
    count(prepared.id) AS not_executed,
    min(open.created_at) FILTER (WHERE prepared.id IS NULL) AS oldest,
    open.status,
    json_group_array(open.id ORDER BY open.since, open.id) FILTER (WHERE prepared.id IS NULL) ->> 0 AS longest,
    json_group_array(open.since ORDER BY open.since) FILTER (WHERE prepared.id IS NULL) ->> 0 AS since
FROM open
LEFT JOIN prepared ON prepared.id = open.id
GROUP BY open.managed_environment_id, open.status
