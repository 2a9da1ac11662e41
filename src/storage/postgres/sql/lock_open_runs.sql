-- lock_open_runs: takes the open restore.execute runs that nobody else holds.
-- $2: only those whose time to be looked at again has come. $3: also suspects. $5: the number of our ruleset; none is
-- taken while a worker of a higher one that settles runs is alive. $6: also those of paused workspaces.
-- IS TRUE keeps the planner to the ids: where it last saw few open runs, it would rather read all that are open.
SELECT run.id
FROM operation_runs AS run
WHERE run.id = ANY ($1::bigint[])
  AND run.type = 'restore.execute'
  AND (run.status IN ('queued', 'running')) IS TRUE
  AND (NOT $2 OR NOT EXISTS (
      SELECT 1
      FROM reconciler.watch_list AS watch
      WHERE watch.operation_run_id = run.id AND watch.look_again_at > statement_timestamp()
  ))
  AND ($3 OR NOT EXISTS (
      SELECT 1 FROM reconciler.attempts AS attempt WHERE attempt.operation_run_id = run.id
  ))
  AND NOT EXISTS (
      SELECT 1
      FROM reconciler.judges AS judge
      WHERE judge.mode <> 'observe' AND judge.ruleset > $5::bigint AND judge.seen_at > statement_timestamp() - interval '30 s'
  )
  -- A pause of everything is a null among them, with which nothing is unequal to all.
  AND ($6 OR (run.workspace_id <> ALL (ARRAY(SELECT workspace_id FROM reconciler.pauses))) IS TRUE)
ORDER BY run.id
FOR UPDATE OF run SKIP LOCKED
