-- lock_open_runs: the open restore.execute runs; the transaction already keeps every writer out.
-- ?2: only those whose time to be looked at again has come by ?4. ?3: also suspects. ?5: the number of our ruleset; none
-- is taken while a worker of a higher one that settles runs is alive. ?6: also those of paused workspaces.
SELECT id
FROM operation_runs
WHERE id IN (SELECT value FROM json_each(?1))
  AND type = 'restore.execute'
  AND status IN ('queued', 'running')
  AND (NOT ?2 OR NOT EXISTS (
      SELECT 1
      FROM reconciler_watch_list AS watch
      WHERE watch.operation_run_id = operation_runs.id AND watch.look_again_at > ?4
  ))
  AND (?3 OR NOT EXISTS (
      SELECT 1 FROM reconciler_attempts AS attempt WHERE attempt.operation_run_id = operation_runs.id
  ))
  AND NOT EXISTS (
      SELECT 1
      FROM reconciler_judges AS judge
      WHERE judge.mode <> 'observe' AND judge.ruleset > ?5 AND judge.seen_at > ?4 - 30000000
  )
  -- A pause of everything is a null among them, with which nothing is known to be outside.
  AND (?6 OR workspace_id NOT IN (SELECT workspace_id FROM reconciler_pauses))
ORDER BY id
