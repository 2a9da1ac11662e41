-- load_candidates: live restores of each run's own scope that its context names or that point at it.
-- Of those that point at it the two with the highest ids are enough, of dry runs and preparations, which contest
-- nothing, as of all others.
WITH ask AS (
    SELECT *
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
        AS ask (run_id, workspace_id, environment_id, restore_id)
),
found AS (
    SELECT
        ask.run_id,
        restore.id,
        restore.operation_run_id,
        restore.is_dry_run,
        restore.status::text AS status,
        restore.started_at,
        true AS is_named
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
        restore.status::text,
        restore.started_at,
        false
    FROM ask
    JOIN restore_runs AS restore
      ON restore.operation_run_id = ask.run_id
     AND restore.workspace_id = ask.workspace_id
     AND restore.managed_environment_id = ask.environment_id
     AND restore.deleted_at IS NULL
    -- Says nothing new, and keeps the join small whatever the planner believes about the table.
    WHERE restore.operation_run_id = ANY ($1::bigint[])
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
                coalesce(found.is_dry_run, false)
                OR (
                    found.started_at IS NULL
                    AND coalesce(found.status, '') IN
                        ('draft', 'scoped', 'checked', 'previewed', 'pending')
                )
            ) AS contests
        FROM found
    ) AS judged
) AS placed
WHERE placed.place <= 2
