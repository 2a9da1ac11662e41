-- load_due_opinions: runs that were open and are no more, and those whose opinion may have changed, at most $1, and what
-- there is to do about each, as in walk_runs.
SELECT
    watch.operation_run_id AS id,
    CASE
        WHEN run.id IS NULL THEN 'pass'
        WHEN run.status IS DISTINCT FROM 'completed' THEN 'wait'
        WHEN EXISTS (
            SELECT 1
            FROM reconciler.ledger AS entry
            WHERE entry.operation_run_id = run.id
              AND entry.workspace_id = run.workspace_id
              AND entry.managed_environment_id IS NOT DISTINCT FROM run.managed_environment_id
              AND (
                  entry.run_created_at = run.created_at
                  OR (
                      entry.run_created_at IS NULL
                      AND (run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01') IS NOT TRUE
                  )
              )
        ) THEN 'pass'
        ELSE 'judge'
    END AS todo
FROM reconciler.opinion_watch AS watch
LEFT JOIN operation_runs AS run ON run.id = watch.operation_run_id AND run.type = 'restore.execute'
WHERE watch.look_again_at <= statement_timestamp()
   OR watch.look_again_at IS NULL AND (run.id IS NULL OR run.status = 'completed')
ORDER BY watch.operation_run_id
LIMIT $1
