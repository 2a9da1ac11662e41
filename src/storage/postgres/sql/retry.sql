-- retry: lets open runs in trouble start over, queues a job for each, says which those are, and notes who had it done and
-- what was known of each before. For IS TRUE see lock_open_runs.
WITH asked AS (
    SELECT run.id, run.workspace_id, run.managed_environment_id,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END AS created_at
    FROM operation_runs AS run
    WHERE run.id = ANY ($1::bigint[]) AND run.type = 'restore.execute' AND (run.status IN ('queued', 'running')) IS TRUE
), stuck AS MATERIALIZED (
    SELECT asked.id AS run, json_build_object(
        'tries', attempt.tries, 'worker', attempt.worker, 'first_seen_at', attempt.first_seen_at,
        'last_tried_at', attempt.last_tried_at, 'dead_at', attempt.dead_at, 'dropped_at', attempt.dropped_at
    ) AS known
    FROM asked
    JOIN reconciler.attempts AS attempt
      ON attempt.operation_run_id = asked.id
     AND attempt.workspace_id = asked.workspace_id
     AND (attempt.managed_environment_id = asked.managed_environment_id) IS NOT FALSE
     AND (attempt.run_created_at = asked.created_at) IS NOT FALSE
    WHERE attempt.dead_at IS NOT NULL OR attempt.tries > 0 OR attempt.try_again_at > statement_timestamp()
    FOR UPDATE OF attempt
), started_over AS (
    UPDATE reconciler.attempts AS attempt
    SET tries = 0, try_again_at = statement_timestamp(), dead_at = NULL, dropped_at = NULL
    FROM stuck
    WHERE attempt.operation_run_id = stuck.run
), refused AS MATERIALIZED (
    SELECT asked.id AS run, json_build_object(
        'refused_tries', watch.tries, 'refused_since', watch.first_seen_at, 'refused_at', watch.last_looked_at,
        'error', left(watch.error, 500)
    ) AS known
    FROM asked
    JOIN reconciler.watch_list AS watch
      ON watch.operation_run_id = asked.id
     AND watch.workspace_id = asked.workspace_id
     AND (watch.managed_environment_id = asked.managed_environment_id) IS NOT FALSE
     AND (watch.run_created_at = asked.created_at) IS NOT FALSE
    WHERE watch.reason_code = 'run.settle_failed' AND watch.look_again_at > statement_timestamp()
    FOR UPDATE OF watch
), made_due AS (
    UPDATE reconciler.watch_list AS watch
    SET look_again_at = statement_timestamp()
    FROM refused
    WHERE watch.operation_run_id = refused.run
), changed AS MATERIALIZED (
    SELECT run, stuck.known AS stuck, refused.known AS refused
    FROM stuck FULL JOIN refused USING (run)
), noted AS (
    INSERT INTO reconciler.actions (
        action, actor, reason, trace, workspace_id, managed_environment_id, operation_run_id, run_created_at, outcome,
        found
    )
    SELECT $2, $3, $4, $5, asked.workspace_id, asked.managed_environment_id, asked.id, asked.created_at,
        CASE WHEN changed.stuck IS NULL THEN 'due_now' ELSE 'starts_over' END,
        json_strip_nulls(json_build_object('unfinished', changed.stuck, 'refused', changed.refused))::text
    FROM changed JOIN asked ON asked.id = changed.run
)
-- Whether a job was queued does not matter here: a worker looks at what is due by itself.
SELECT changed.run
FROM changed
WHERE reconciler.request(changed.run, 'command') IS NOT NULL
ORDER BY changed.run
