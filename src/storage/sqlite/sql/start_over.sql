-- start_over: lets open runs that are dead letters or suspended start over at ?2, makes those due that the database
-- refused, and says which those are.
UPDATE reconciler_attempts
SET tries = 0, try_again_at = ?2, dead_at = NULL, dropped_at = NULL
WHERE operation_run_id IN (
      SELECT id
      FROM operation_runs
      WHERE id IN (SELECT value FROM json_each(?1)) AND type = 'restore.execute' AND status IN ('queued', 'running')
  )
  AND (dead_at IS NOT NULL OR tries > 0 OR try_again_at > ?2)
RETURNING operation_run_id;
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
