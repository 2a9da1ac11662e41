-- load_candidates: live restores of each run's own scope that its context names or that point at it.
WITH ask AS MATERIALIZED (
    SELECT
        value ->> '$.run' AS run_id,
        value ->> '$.workspace' AS workspace_id,
        value ->> '$.environment' AS environment_id,
        value ->> '$.restore' AS restore_id
    FROM json_each(?1)
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
) AS pointing
WHERE pointing.place <= 2
