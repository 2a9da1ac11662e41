-- find_unproven_runs: the highest of a viewer's runs below $3 that are unproven successes, or the lowest above it where $5
-- says so, at most $4.
SELECT opinion.operation_run_id AS id
FROM reconciler.current_opinions AS opinion
WHERE opinion.is_unproven_success
  AND ($1::bigint[] IS NULL OR opinion.workspace_id = ANY ($1::bigint[]))
  AND ($2::bigint IS NULL OR opinion.managed_environment_id = $2)
  AND (
      $3::bigint IS NULL
      OR CASE WHEN $5::boolean THEN opinion.operation_run_id > $3 ELSE opinion.operation_run_id < $3 END
  )
  AND (
      opinion.managed_environment_id IS NULL
      OR (opinion.managed_environment_id, opinion.workspace_id) IN (
          SELECT environment.id, environment.workspace_id
          FROM managed_environments AS environment
          WHERE environment.deleted_at IS NULL
      )
  )
  AND EXISTS (
      SELECT 1
      FROM operation_runs AS run
      WHERE run.id = opinion.operation_run_id
        AND run.workspace_id = opinion.workspace_id
        AND run.managed_environment_id IS NOT DISTINCT FROM opinion.managed_environment_id
        AND (
            opinion.run_created_at = run.created_at
            OR (
                opinion.run_created_at IS NULL
                AND (run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01') IS NOT TRUE
            )
        )
        AND run.status = 'completed'
        AND run.outcome::text = opinion.claimed
        AND NOT EXISTS (
            SELECT 1
            FROM reconciler.ledger AS entry
            WHERE entry.operation_run_id = run.id
              AND entry.workspace_id = run.workspace_id
              AND entry.managed_environment_id IS NOT DISTINCT FROM run.managed_environment_id
              AND (
                  entry.run_created_at = opinion.run_created_at
                  OR (entry.run_created_at IS NULL AND opinion.run_created_at IS NULL)
              )
        )
      -- Has each run looked up by its id.
      OFFSET 0
  )
ORDER BY CASE WHEN $5::boolean THEN opinion.operation_run_id ELSE -opinion.operation_run_id END
LIMIT $4
