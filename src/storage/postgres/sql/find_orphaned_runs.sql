-- find_orphaned_runs: how many open runs belong to environments that were deleted, or are of another workspace by now; of
-- workspace $2 alone where it is given, at most $1 environments, and how many there are in all. Runs about previews and
-- preparations are left out, as count_open_runs has them.
WITH every AS MATERIALIZED (
    SELECT run.id, run.workspace_id, run.managed_environment_id, run.context
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      AND run.managed_environment_id IS NOT NULL
      -- IS TRUE leaves the choice of the index to the other conditions.
      AND ($2::bigint IS NULL OR run.workspace_id = $2) IS TRUE
), open AS MATERIALIZED (
    SELECT
        run.id, run.workspace_id, run.managed_environment_id,
        -- One digit more than ids have: a number beyond them names nothing that is there.
        (
            SELECT CASE WHEN number > 9223372036854775807 THEN -1 ELSE number END
            FROM (SELECT substring(run.context::text FROM '"restore_run_id"\s*:\s*"?([0-9]{1,20})')::numeric) AS it (number)
        )::bigint AS named
    FROM every AS run
    WHERE NOT EXISTS (
        SELECT
        FROM managed_environments AS environment
        WHERE environment.id = run.managed_environment_id
          AND environment.workspace_id = run.workspace_id
          AND environment.deleted_at IS NULL
    )
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
    open.workspace_id,
    left(coalesce(workspace.name, ''), 256)::text AS workspace_name,
    open.managed_environment_id AS environment_id,
    count(*) AS runs,
    count(*) OVER () AS environments
FROM open
JOIN workspaces AS workspace ON workspace.id = open.workspace_id
LEFT JOIN prepared ON prepared.id = open.id
WHERE prepared.id IS NULL
GROUP BY open.workspace_id, workspace.name, open.managed_environment_id
ORDER BY open.workspace_id, open.managed_environment_id
LIMIT $1
