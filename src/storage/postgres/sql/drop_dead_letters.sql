-- drop_dead_letters: takes dead letters out of the lists and the jobs that wait for them out of the queue, and notes who
-- had it done.
WITH dead AS (
    SELECT operation_run_id AS run
    FROM reconciler.attempts
    WHERE operation_run_id = ANY ($1::bigint[]) AND dead_at IS NOT NULL
), killed AS (
    UPDATE apalis.jobs AS job
    SET status = 'Killed', done_at = statement_timestamp()
    FROM dead
    WHERE job.job_type = 'restore.execute'
      AND job.status = 'Pending'
      AND reconciler.run_of(job.job) = dead.run
), dropped AS (
    UPDATE reconciler.attempts AS attempt
    SET dropped_at = statement_timestamp()
    WHERE attempt.operation_run_id = ANY ($1::bigint[])
      AND attempt.dead_at IS NOT NULL
      AND attempt.dropped_at IS NULL
    RETURNING attempt.operation_run_id AS run
), noted AS (
    INSERT INTO reconciler.actions (
        action, actor, reason, trace, workspace_id, managed_environment_id, operation_run_id, run_created_at, outcome
    )
    SELECT $2, $3, $4, $5, run.workspace_id, run.managed_environment_id, run.id,
        CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END, 'dropped'
    FROM dropped
    CROSS JOIN LATERAL (
        SELECT id, workspace_id, managed_environment_id, created_at FROM operation_runs WHERE id = dropped.run OFFSET 0
    ) AS run
)
SELECT run FROM dropped
