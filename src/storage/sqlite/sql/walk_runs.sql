-- walk_runs: the next ?2 runs by their id, and what there is to do about each: to pass it, to wait until it is closed, or
-- to judge it. Those that we closed, or that were closed before ?3, are passed.
SELECT
    run.id,
    CASE
        WHEN run.type IS NOT 'restore.execute' THEN 'pass'
        WHEN run.status IS NOT 'completed' THEN 'wait'
        WHEN coalesce(run.completed_at, run.created_at) < ?3 THEN 'pass'
        WHEN EXISTS (
            SELECT 1
            FROM reconciler_ledger AS entry
            WHERE entry.operation_run_id = run.id
              AND entry.workspace_id = run.workspace_id
              AND coalesce(entry.run_created_at = run.created_at, true)
        ) THEN 'pass'
        WHEN EXISTS (
            SELECT 1
            FROM reconciler_opinions AS entry
            WHERE entry.operation_run_id = run.id
              AND entry.workspace_id = run.workspace_id
              AND coalesce(entry.run_created_at = run.created_at, true)
        ) THEN 'pass'
        ELSE 'judge'
    END AS todo,
    coalesce(run.created_at > ?4 AND run.created_at <= ?5, false) AS is_young
FROM operation_runs AS run
WHERE run.id > ?1
ORDER BY run.id
LIMIT ?2
