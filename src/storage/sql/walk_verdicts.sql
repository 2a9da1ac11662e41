-- walk_verdicts: the next $4 verdicts after those of run $3, in the order of their runs' ids, and which of them are below
-- succeeded; of those of one workspace, or since a moment, where $1 and $2 are given.
SELECT
    verdict.run_id,
    verdict.outcome,
    verdict.decided_at,
    verdict.outcome <> 'succeeded'
        AND ($1::bigint IS NULL OR verdict.workspace_id = $1)
        AND ($2::timestamptz IS NULL OR verdict.decided_at >= $2)
        AND EXISTS (
            SELECT 1
            FROM operation_runs AS run
            WHERE run.id = verdict.run_id
              AND run.workspace_id = verdict.workspace_id
              AND run.managed_environment_id IS NOT DISTINCT FROM verdict.managed_environment_id
              AND (
                  verdict.run_created_at = run.created_at
                  OR (
                      verdict.run_created_at IS NULL
                      AND (run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01') IS NOT TRUE
                  )
              )
        ) AS is_wanted
FROM (
    SELECT operation_run_id AS run_id, workspace_id, managed_environment_id, run_created_at, outcome, decided_at
    FROM reconciler.verdicts
    WHERE operation_run_id > $3
    ORDER BY operation_run_id
    LIMIT $4
) AS verdict
ORDER BY verdict.run_id
