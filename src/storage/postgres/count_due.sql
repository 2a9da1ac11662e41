-- count_due: how many runs load_due would return without a limit.
SELECT count(*)
FROM operation_runs AS run
LEFT JOIN reconciler.watch_list AS watch ON watch.operation_run_id = run.id
WHERE run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
  AND ($1::bigint IS NULL OR run.workspace_id = $1)
  AND (watch.operation_run_id IS NULL OR watch.look_again_at <= statement_timestamp())
