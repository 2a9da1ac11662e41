-- load_candidates: live restores of each run's own scope that its context names or that point at it.
WITH ask AS (
    SELECT *
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
        AS ask (run_id, workspace_id, environment_id, restore_id)
)
SELECT ask.run_id, restore.id AS restore_id, restore.operation_run_id AS points_at
FROM ask
JOIN restore_runs AS restore
  ON restore.id = ask.restore_id
 AND restore.workspace_id = ask.workspace_id
 AND restore.managed_environment_id = ask.environment_id
 AND restore.deleted_at IS NULL
UNION ALL
SELECT pointing.run_id, pointing.restore_id, pointing.run_id AS points_at
FROM (
    SELECT
        ask.run_id,
        restore.id AS restore_id,
        row_number() OVER (PARTITION BY ask.run_id ORDER BY restore.id DESC) AS place
    FROM ask
    JOIN restore_runs AS restore
      ON restore.operation_run_id = ask.run_id
     AND restore.workspace_id = ask.workspace_id
     AND restore.managed_environment_id = ask.environment_id
     AND restore.deleted_at IS NULL
    -- Says nothing new, and keeps the join small whatever the planner believes about the table.
    WHERE restore.operation_run_id = ANY ($1::bigint[])
) AS pointing
WHERE pointing.place <= 2
