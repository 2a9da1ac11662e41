-- start_over: lets runs that are dead letters or suspended start over at ?2, and makes those due that the database
-- refused.
UPDATE reconciler_attempts
SET tries = 0, try_again_at = ?2, dead_at = NULL, dropped_at = NULL
WHERE operation_run_id IN (SELECT value FROM json_each(?1));
UPDATE reconciler_watch_list
SET look_again_at = min(look_again_at, ?2)
WHERE operation_run_id IN (SELECT value FROM json_each(?1)) AND reason_code = 'run.settle_failed'
