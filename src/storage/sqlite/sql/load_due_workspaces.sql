-- load_due_workspaces: which workspaces of a shard have open runs that are due, and how many.
-- A run is due that nobody watches, or whose time to be looked at again has come; unless its settlement may
-- have ended a process, and it is not yet time, or no longer allowed, to try that again.
SELECT run.workspace_id, count(*) AS runs, max(run.id) AS last
FROM operation_runs AS run
WHERE run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
  AND run.workspace_id NOT IN (SELECT workspace_id FROM reconciler_pauses)
  AND (?1 IS NULL OR run.workspace_id = ?1)
  -- The remainder of a negative id is negative.
  AND (run.workspace_id % ?3 + ?3) % ?3 = ?2
  AND NOT EXISTS (
      SELECT 1
      FROM reconciler_watch_list AS watch
      WHERE watch.operation_run_id = run.id
        AND watch.look_again_at > CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
  )
  AND NOT EXISTS (
      SELECT 1
      FROM reconciler_attempts AS attempt
      WHERE attempt.operation_run_id = run.id
        AND (
            attempt.dead_at IS NOT NULL
            OR attempt.try_again_at > CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
        )
  )
GROUP BY run.workspace_id
ORDER BY run.workspace_id
