-- load_standings: what is remembered of runs in any state, without their documents, and not of others that had an id.
SELECT
    run.id AS run,
    run.workspace_id AS workspace,
    run.managed_environment_id AS environment,
    CAST(run.type AS text) AS run_type,
    coalesce(CAST(run.status AS text), '') AS status,
    attempt.tries::bigint AS attempts_tries,
    attempt.worker AS attempts_worker,
    attempt.first_seen_at AS attempts_first_seen_at,
    attempt.last_tried_at AS attempts_last_tried_at,
    attempt.try_again_at AS attempts_try_again_at,
    attempt.dead_at AS attempts_dead_at,
    attempt.dropped_at AS attempts_dropped_at,
    watch.reason_code AS watch_reason_code,
    watch.tries::bigint AS watch_tries,
    watch.first_seen_at AS watch_first_seen_at,
    watch.last_looked_at AS watch_last_looked_at,
    watch.look_again_at AS watch_look_again_at,
    watch.error AS watch_error
FROM operation_runs AS run
LEFT JOIN reconciler.attempts AS attempt
  ON attempt.operation_run_id = run.id
 AND attempt.workspace_id = run.workspace_id
 AND (attempt.managed_environment_id = run.managed_environment_id) IS NOT FALSE
 AND (attempt.run_created_at = run.created_at) IS NOT FALSE
LEFT JOIN reconciler.watch_list AS watch
  ON watch.operation_run_id = run.id
 AND watch.workspace_id = run.workspace_id
 AND (watch.managed_environment_id = run.managed_environment_id) IS NOT FALSE
 AND (watch.run_created_at = run.created_at) IS NOT FALSE
WHERE run.id = ANY ($1::bigint[])
ORDER BY run.id
