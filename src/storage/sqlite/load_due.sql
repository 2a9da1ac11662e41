-- load_due: open runs that nobody watches, or whose time to be looked at again has come.
SELECT run.id
FROM operation_runs AS run
LEFT JOIN reconciler_watch_list AS watch ON watch.operation_run_id = run.id
WHERE run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
  AND run.id > ?1
  AND (?2 IS NULL OR run.workspace_id = ?2)
  AND (
      watch.operation_run_id IS NULL
      OR watch.look_again_at <= CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
  )
ORDER BY run.id
LIMIT ?3
