-- count_unproven_runs: how many unproven successes environments have, and when the run of the oldest was created.
SELECT opinion.managed_environment_id AS environment_id, count(*) AS runs, min(opinion.run_created_at) AS oldest
FROM json_each(?1) AS ask
CROSS JOIN reconciler_current_opinions AS opinion
  ON opinion.managed_environment_id = ask.value ->> '$.environment'
 AND +opinion.workspace_id = ask.value ->> '$.workspace'
WHERE opinion.is_unproven_success
  AND EXISTS (
      SELECT 1
      FROM operation_runs AS run
      WHERE run.id = opinion.operation_run_id
        AND run.workspace_id = opinion.workspace_id
        AND run.managed_environment_id = opinion.managed_environment_id
        AND (
            opinion.run_created_at = run.created_at
            OR (
                opinion.run_created_at IS NULL
                AND (run.created_at >= 0 AND run.created_at < 253402300800000000) IS NOT TRUE
            )
        )
        AND run.status = 'completed'
        AND run.outcome = opinion.claimed
        AND NOT EXISTS (
            SELECT 1
            FROM reconciler_ledger AS entry
            WHERE entry.operation_run_id = run.id
              AND entry.workspace_id = run.workspace_id
              AND entry.managed_environment_id IS run.managed_environment_id
              AND (
                  entry.run_created_at = opinion.run_created_at
                  OR (entry.run_created_at IS NULL AND opinion.run_created_at IS NULL)
              )
        )
  )
GROUP BY opinion.managed_environment_id
