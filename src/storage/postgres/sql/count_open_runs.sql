-- count_open_runs: how many open runs environments have in each status, how many of these are about a preview or a
-- preparation, when the oldest of the others was created, and which is in its status for longest, since when. Where nobody
-- knows that of a run, it is that one.
-- A run is that where the restore that its context names is one, and all that point at it are; a restore that has started
-- is no preparation.
WITH open AS MATERIALIZED (
    SELECT
        run.id, run.workspace_id, run.managed_environment_id,
        run.status::text AS status,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END AS created_at,
        CASE WHEN stays.since >= '1970-01-01' AND stays.since < '10000-01-01' THEN stays.since END AS since,
        -- One digit more than ids have: a number beyond them names nothing that is there.
        (
            SELECT CASE WHEN number > 9223372036854775807 THEN -1 ELSE number END
            FROM (SELECT substring(run.context::text FROM '"restore_run_id"\s*:\s*"?([0-9]{1,20})')::numeric) AS it (number)
        )::bigint AS named
    FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
    JOIN operation_runs AS run
      ON run.workspace_id = ask.workspace_id
     AND run.managed_environment_id = ask.environment_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN run.status = 'running' AND run.started_at IS NOT NULL THEN run.started_at ELSE run.created_at END
            AS since
    ) AS stays
    -- Says nothing new, and lets the planner find them in the platform's index over open runs.
    WHERE run.managed_environment_id = ANY ($2::bigint[])
      AND run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
), pointing AS MATERIALIZED (
    SELECT
        restore.operation_run_id AS run_id, restore.id, restore.workspace_id, restore.managed_environment_id,
        restore.is_dry_run, restore.status::text AS status, restore.started_at
    FROM restore_runs AS restore
    WHERE restore.operation_run_id = ANY (ARRAY(SELECT open.id FROM open))
      AND restore.deleted_at IS NULL
), told AS MATERIALIZED (
    SELECT pointing.*
    FROM pointing
    UNION ALL
    SELECT open.id, chosen.*
    FROM open
    -- OFFSET has each looked up by its id.
    CROSS JOIN LATERAL (
        SELECT
            restore.id, restore.workspace_id, restore.managed_environment_id,
            restore.is_dry_run, restore.status::text, restore.started_at
        FROM restore_runs AS restore
        WHERE restore.id = open.named
          AND (restore.operation_run_id IS NULL AND restore.deleted_at IS NULL) IS TRUE
        OFFSET 0
    ) AS chosen
    WHERE open.named IS NOT NULL
      AND (open.id, open.named) NOT IN (SELECT pointing.run_id, pointing.id FROM pointing)
), prepared AS MATERIALIZED (
    SELECT open.id
    FROM open
    JOIN told
      ON told.run_id = open.id
     AND told.workspace_id = open.workspace_id
     AND told.managed_environment_id = open.managed_environment_id
    GROUP BY open.id, open.named
    HAVING
        bool_and(
            coalesce(told.is_dry_run, true)
            OR (
                told.started_at IS NULL
                AND coalesce(told.status, '') IN ('draft', 'scoped', 'checked', 'previewed')
            )
        )
        AND (open.named IS NULL OR bool_or(told.id = open.named))
)
SELECT
    open.managed_environment_id AS environment_id,
    count(*) AS runs,
    count(prepared.id) AS not_executed,
    min(open.created_at) FILTER (WHERE prepared.id IS NULL) AS oldest,
    open.status,
    (array_agg(open.id ORDER BY open.since NULLS FIRST, open.id) FILTER (WHERE prepared.id IS NULL))[1] AS longest,
    (array_agg(open.since ORDER BY open.since NULLS FIRST) FILTER (WHERE prepared.id IS NULL))[1] AS since
FROM open
LEFT JOIN prepared ON prepared.id = open.id
GROUP BY open.managed_environment_id, open.status
