-- list_opinions: current opinions on what runs still say, unproven successes first, then the latest runs; at most $3. Null: of all workspaces,
-- and since ever.
WITH latest AS NOT MATERIALIZED (
    SELECT opinion.*
    FROM reconciler.current_opinions AS opinion
    WHERE ($1::bigint IS NULL OR opinion.workspace_id = $1)
      AND ($2::timestamptz IS NULL OR coalesce(opinion.closed_at, opinion.formed_at) >= $2)
      -- OFFSET has each run looked up by its id.
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
          OFFSET 0
      )
), unproven AS MATERIALIZED (
    SELECT * FROM latest WHERE is_unproven_success ORDER BY operation_run_id DESC LIMIT $3
), others AS MATERIALIZED (
    SELECT * FROM latest WHERE NOT is_unproven_success ORDER BY operation_run_id DESC LIMIT $3
)
SELECT
    operation_run_id AS run_id,
    workspace_id,
    managed_environment_id AS environment_id,
    claimed,
    stance,
    reason_code,
    found,
    closed_at,
    formed_at
FROM (SELECT * FROM unproven UNION ALL SELECT * FROM others) AS listed
ORDER BY is_unproven_success DESC, operation_run_id DESC
LIMIT $3
