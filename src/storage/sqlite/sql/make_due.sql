-- make_due: makes open runs that the database refused due at ?2, and says which those are.
UPDATE reconciler_watch_list
SET look_again_at = ?2
WHERE operation_run_id IN (
      SELECT id
      FROM operation_runs
      WHERE id IN (SELECT value FROM json_each(?1)) AND type = 'restore.execute' AND status IN ('queued', 'running')
  )
  AND reason_code = 'run.settle_failed'
  AND look_again_at > ?2
RETURNING operation_run_id
