-- retry: lets open runs in trouble start over, queues a job for each, and says which those are.
-- For IS TRUE see lock_open_runs.
WITH asked AS (
    SELECT run.id
    FROM operation_runs AS run
    WHERE run.id = ANY ($1::bigint[]) AND run.type = 'restore.execute' AND (run.status IN ('queued', 'running')) IS TRUE
), started_over AS (
    UPDATE reconciler.attempts AS attempt
    SET tries = 0, try_again_at = statement_timestamp(), dead_at = NULL, dropped_at = NULL
    FROM asked
    WHERE attempt.operation_run_id = asked.id
      AND (attempt.dead_at IS NOT NULL OR attempt.tries > 0 OR attempt.try_again_at > statement_timestamp())
    RETURNING attempt.operation_run_id AS run
), made_due AS (
    UPDATE reconciler.watch_list AS watch
    SET look_again_at = statement_timestamp()
    FROM asked
    WHERE watch.operation_run_id = asked.id
      AND watch.reason_code = 'run.settle_failed'
      AND watch.look_again_at > statement_timestamp()
    RETURNING watch.operation_run_id AS run
)
-- Whether a job was queued does not matter here: a worker looks at what is due by itself.
SELECT changed.run
FROM (SELECT run FROM started_over UNION SELECT run FROM made_due) AS changed
WHERE reconciler.request(changed.run, 'command') IS NOT NULL
ORDER BY changed.run
