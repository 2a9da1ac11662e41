-- look_for_runs: the highest of a viewer's runs below $3, or the lowest above it where $14 says so, at most $4 of them,
-- only those of $11 where it is given, and which of these are wanted. Open runs of environments that were deleted or moved
-- are among them where $12 says so, and are alone where $13 does.
-- What is null is constant when the plan is made, and costs nothing.
WITH own AS NOT MATERIALIZED (
    SELECT run.id, run.workspace_id, run.managed_environment_id, run.outcome::text AS outcome, run.created_at
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND ($1::bigint[] IS NULL OR run.workspace_id = ANY ($1))
      AND ($2::bigint IS NULL OR run.managed_environment_id = $2)
      AND (NOT $10::boolean OR run.status IN ('queued', 'running'))
      AND ($11::bigint[] IS NULL OR run.id = ANY ($11))
      AND (
          run.managed_environment_id IS NULL
          OR (run.managed_environment_id, run.workspace_id) IN (
              SELECT environment.id, environment.workspace_id
              FROM managed_environments AS environment
              WHERE environment.deleted_at IS NULL
          )
          OR ($12::boolean AND run.status IN ('queued', 'running'))
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
    (
        SELECT * FROM own WHERE NOT $14::boolean AND ($3::bigint IS NULL OR own.id < $3) ORDER BY own.id DESC LIMIT $4
    )
    UNION ALL
    (
        SELECT * FROM own WHERE $14::boolean AND ($3::bigint IS NULL OR own.id > $3) ORDER BY own.id LIMIT $4
    )
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
            OR EXISTS (
                SELECT
                FROM reconciler.current_opinions AS opinion
                WHERE opinion.operation_run_id = looked.id
                  AND (opinion.workspace_id, opinion.managed_environment_id)
                      IS NOT DISTINCT FROM (looked.workspace_id, looked.managed_environment_id)
                  AND (opinion.run_created_at = created.at OR (opinion.run_created_at IS NULL AND created.at IS NULL))
                  AND opinion.claimed = looked.outcome
                  AND opinion.reason_code = $6
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
