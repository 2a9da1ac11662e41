-- drop_dead_letters: takes dead letters out of the lists and the jobs that wait for them out of the queue.
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
)
UPDATE reconciler.attempts AS attempt
SET dropped_at = statement_timestamp()
WHERE attempt.operation_run_id = ANY ($1::bigint[])
  AND attempt.dead_at IS NOT NULL
  AND attempt.dropped_at IS NULL
RETURNING attempt.operation_run_id
