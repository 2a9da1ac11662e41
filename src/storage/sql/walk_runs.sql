-- walk_runs: the next $2 runs by their id, and what there is to do about each: to pass it, to wait until it is closed, or
-- to judge it. Those that we closed, or that were closed before $3, are passed; before a run that was created after $4
-- others may yet appear, whose transaction is under way.
SELECT
    run.id,
    CASE
        WHEN run.type IS DISTINCT FROM 'restore.execute' THEN 'pass'
        WHEN run.status IS DISTINCT FROM 'completed' THEN 'wait'
        WHEN coalesce(run.completed_at, run.created_at) < $3 THEN 'pass'
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
        WHEN EXISTS (
            SELECT 1
            FROM reconciler.opinions AS entry
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
    END AS todo,
    coalesce(run.created_at > $4 AND run.created_at <= $5, false) AS is_young
FROM (
    SELECT id, workspace_id, managed_environment_id, type, status, completed_at, created_at
    FROM operation_runs
    WHERE id > $1
    ORDER BY id
    LIMIT $2
) AS run
ORDER BY run.id
