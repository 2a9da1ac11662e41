-- load_candidates: live restores of each run's own scope that its context names or that point at it.
-- Of those that point at it the two with the highest ids are enough, of dry runs and preparations, which contest
-- nothing, as of all others.
WITH ask AS MATERIALIZED (
    SELECT
        value ->> '$.run' AS run_id,
        value ->> '$.workspace' AS workspace_id,
        value ->> '$.environment' AS environment_id,
        value ->> '$.restore' AS restore_id
    FROM json_each(?1)
),
found AS (
    SELECT
        ask.run_id,
        restore.id,
        restore.operation_run_id,
        restore.is_dry_run,
        restore.status,
        restore.started_at,
        1 AS is_named
    FROM ask
    JOIN restore_runs AS restore
      ON restore.id = ask.restore_id
     AND restore.workspace_id = ask.workspace_id
     AND restore.managed_environment_id = ask.environment_id
     AND restore.deleted_at IS NULL
    UNION ALL
    SELECT
        ask.run_id,
        restore.id,
        restore.operation_run_id,
        restore.is_dry_run,
        restore.status,
        restore.started_at,
        0
    -- What was asked about is found by index, or in one walk where there is none; asks are indexed for
    -- the join. CROSS JOIN fixes that order, and a plus takes away a column's affinity, which the asks
    -- do not have, and its temptation to walk whole environments.
    FROM restore_runs AS restore
    CROSS JOIN ask
      ON +restore.operation_run_id = ask.run_id
     AND +restore.workspace_id = ask.workspace_id
     AND +restore.managed_environment_id = ask.environment_id
     AND restore.deleted_at IS NULL
    WHERE restore.operation_run_id IN (SELECT run_id FROM ask)
)
SELECT placed.run_id, placed.restore_id, placed.points_at, placed.contests
FROM (
    SELECT
        judged.*,
        row_number() OVER (
            PARTITION BY judged.run_id, judged.is_named, judged.contests
            ORDER BY judged.restore_id DESC
        ) AS place
    FROM (
        SELECT
            found.run_id,
            found.id AS restore_id,
            found.operation_run_id AS points_at,
            found.is_named,
            NOT (
                (typeof(found.is_dry_run) = 'integer' AND found.is_dry_run <> 0)
                OR (
                    found.started_at IS NULL
                    AND coalesce(CAST(found.status AS TEXT), '') IN
                        ('draft', 'scoped', 'checked', 'previewed', 'pending')
                )
            ) AS contests
        FROM found
    ) AS judged
) AS placed
WHERE placed.place <= 2
