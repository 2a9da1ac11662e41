-- load_due_workspaces: which workspaces of a shard have open runs that are due, and how many.
-- A run is due that nobody watches, or whose time to be looked at again has come; unless its settlement may
-- have ended a process, and it is not yet time, or no longer allowed, to try that again.
SELECT run.workspace_id, count(*) AS runs, max(run.id) AS last
FROM operation_runs AS run
WHERE run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
  -- Says nothing new, and lets a planner without the index that `doctor` advises find open runs in two that the
  -- platform has: one over those with an environment, one over those without.
  AND (run.managed_environment_id IS NULL OR run.managed_environment_id IS NOT NULL)
  AND ($1::bigint IS NULL OR run.workspace_id = $1)
  -- The remainder of a negative id is negative.
  AND (run.workspace_id % $3 + $3) % $3 = $2
  -- As in lock_open_runs.
  AND (run.workspace_id <> ALL (ARRAY(SELECT workspace_id FROM reconciler.pauses))) IS TRUE
  AND NOT EXISTS (
      SELECT
      FROM reconciler.watch_list AS watch
      WHERE watch.operation_run_id = run.id AND watch.look_again_at > statement_timestamp()
  )
  AND NOT EXISTS (
      SELECT
      FROM reconciler.attempts AS attempt
      WHERE attempt.operation_run_id = run.id
        AND (attempt.dead_at IS NOT NULL OR attempt.try_again_at > statement_timestamp())
  )
GROUP BY run.workspace_id
ORDER BY run.workspace_id
