-- load_trouble: open runs that would start over, whether more than their refusal is forgotten then, and what is known of
-- each.
SELECT
    run.id,
    attempt.operation_run_id IS NOT NULL,
    json_patch('{}', json_object(
        'unfinished', json(CASE WHEN attempt.operation_run_id IS NOT NULL THEN json_object(
            'tries', attempt.tries, 'worker', attempt.worker, 'first_seen_at', attempt.first_seen_at,
            'last_tried_at', attempt.last_tried_at, 'dead_at', attempt.dead_at, 'dropped_at', attempt.dropped_at
        ) END),
        'refused', json(CASE WHEN watch.operation_run_id IS NOT NULL THEN json_object(
            'refused_tries', watch.tries, 'refused_since', watch.first_seen_at, 'refused_at', watch.last_looked_at,
            'error', substr(watch.error, 1, 500)
        ) END)
    ))
FROM operation_runs AS run
LEFT JOIN reconciler_attempts AS attempt
  ON attempt.operation_run_id = run.id
 AND attempt.workspace_id = run.workspace_id
 AND (attempt.managed_environment_id = run.managed_environment_id) IS NOT FALSE
 AND (attempt.run_created_at = run.created_at) IS NOT FALSE
 AND (attempt.dead_at IS NOT NULL OR attempt.tries > 0 OR attempt.try_again_at > ?2)
LEFT JOIN reconciler_watch_list AS watch
  ON watch.operation_run_id = run.id
 AND watch.workspace_id = run.workspace_id
 AND (watch.managed_environment_id = run.managed_environment_id) IS NOT FALSE
 AND (watch.run_created_at = run.created_at) IS NOT FALSE
 AND watch.reason_code = 'run.settle_failed' AND watch.look_again_at > ?2
WHERE run.id IN (SELECT value FROM json_each(?1)) AND run.type = 'restore.execute' AND run.status IN ('queued', 'running')
  AND (attempt.operation_run_id IS NOT NULL OR watch.operation_run_id IS NOT NULL)
ORDER BY run.id
