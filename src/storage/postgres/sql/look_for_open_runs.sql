-- look_for_open_runs: as look_for_runs, of the runs that are open. Those are few beside all others, and are found
-- by themselves first: a planner without statistics would walk all runs from the last one backwards.
WITH open AS MATERIALIZED (
    SELECT run.id, run.workspace_id, run.managed_environment_id, run.outcome::text AS outcome, run.created_at
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      -- As in load_due_workspaces.
      AND (run.managed_environment_id IS NULL OR run.managed_environment_id IS NOT NULL)
      -- IS TRUE leaves the choice of the index to the other conditions.
      AND ($1::bigint[] IS NULL OR run.workspace_id = ANY ($1)) IS TRUE
      AND ($2::bigint IS NULL OR run.managed_environment_id = $2) IS TRUE
      AND ($3::bigint IS NULL OR CASE WHEN $14::boolean THEN run.id > $3 ELSE run.id < $3 END) IS TRUE
      AND (
          run.managed_environment_id IS NULL
          OR (run.managed_environment_id, run.workspace_id) IN (
              SELECT environment.id, environment.workspace_id
              FROM managed_environments AS environment
              WHERE environment.deleted_at IS NULL
          )
          OR ($12::boolean)
      )
      AND (
          NOT $13::boolean
          OR (
              run.managed_environment_id IS NOT NULL
              AND NOT EXISTS (
                  SELECT
                  FROM managed_environments AS environment
                  WHERE environment.id = run.managed_environment_id
                    AND environment.workspace_id = run.workspace_id
                    AND environment.deleted_at IS NULL
              )
          )
      )
), looked AS MATERIALIZED (
    SELECT open.id, open.workspace_id, open.managed_environment_id, open.outcome, open.created_at
    FROM open
    ORDER BY CASE WHEN $14::boolean THEN open.id ELSE -open.id END
    LIMIT $4
)
SELECT
    looked.id,
    coalesce(
        (
            $5::text IS NULL
            OR coalesce(looked.outcome, '') = $5
            OR ($5 = 'unknown' AND coalesce(looked.outcome, '') <> ALL ($9::text[]))
        )
        AND (
            $6::text IS NULL
            OR EXISTS (
                SELECT
                FROM reconciler.verdicts AS entry
                WHERE entry.operation_run_id = looked.id
                  AND (entry.workspace_id, entry.managed_environment_id)
                      IS NOT DISTINCT FROM (looked.workspace_id, looked.managed_environment_id)
                  AND (entry.run_created_at = created.at OR (entry.run_created_at IS NULL AND created.at IS NULL))
                  AND entry.reason_code = $6
            )
            OR EXISTS (
                SELECT
                FROM reconciler.watch_list AS watch
                WHERE watch.operation_run_id = looked.id
                  AND (watch.workspace_id, watch.managed_environment_id)
                      IS NOT DISTINCT FROM (looked.workspace_id, looked.managed_environment_id)
                  AND (watch.run_created_at = created.at) IS NOT FALSE
                  AND watch.reason_code = $6
            )
        )
        AND ($7::timestamptz IS NULL OR created.at >= $7)
        AND ($8::timestamptz IS NULL OR created.at < $8),
        false
    ) AS is_wanted
FROM looked
CROSS JOIN LATERAL (
    SELECT CASE WHEN looked.created_at >= '1970-01-01' AND looked.created_at < '10000-01-01' THEN looked.created_at END AS at
) AS created
ORDER BY CASE WHEN $14::boolean THEN looked.id ELSE -looked.id END
