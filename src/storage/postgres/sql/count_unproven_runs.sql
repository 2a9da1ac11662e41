-- count_unproven_runs: how many unproven successes environments have, and when the run of the oldest was created.
SELECT ask.environment_id, count(*) AS runs, min(opinion.run_created_at) AS oldest
FROM unnest($1::bigint[], $2::bigint[]) AS ask (workspace_id, environment_id)
JOIN reconciler.current_opinions AS opinion
  ON opinion.managed_environment_id = ask.environment_id
 AND opinion.workspace_id = ask.workspace_id
WHERE opinion.is_unproven_success
  AND EXISTS (
      SELECT
      FROM operation_runs AS run
      WHERE run.id = opinion.operation_run_id
        AND run.workspace_id = opinion.workspace_id
        AND run.managed_environment_id = opinion.managed_environment_id
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
            SELECT
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
GROUP BY ask.environment_id
