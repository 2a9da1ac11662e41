-- count_due: how many runs load_due would return without a limit.
SELECT count(*)
FROM operation_runs AS run
LEFT JOIN reconciler_watch_list AS watch ON watch.operation_run_id = run.id
WHERE run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
  AND (?1 IS NULL OR run.workspace_id = ?1)
  AND (
      watch.operation_run_id IS NULL
      OR watch.look_again_at <= CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
  )
