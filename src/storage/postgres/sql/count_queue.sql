-- count_queue: how many jobs and runs are in which list of the queue, and since when the oldest is. The lists are
-- those of load_entries; payloads are not read.
SELECT
    state,
    count(*) AS entries,
    min(since) AS oldest
FROM (
    SELECT
        CASE
            WHEN attempt.dead_at IS NULL THEN 'suspended'
            WHEN attempt.dropped_at IS NULL THEN 'dead_letter'
            ELSE 'dropped'
        END AS state,
        coalesce(attempt.dropped_at, attempt.dead_at, attempt.first_seen_at) AS since
    FROM reconciler.attempts AS attempt
    JOIN operation_runs AS run ON run.id = attempt.operation_run_id AND run.status IN ('queued', 'running')
    UNION ALL
    SELECT
        CASE WHEN watch.reason_code = 'run.settle_failed' THEN 'refused' ELSE 'deferred' END,
        watch.first_seen_at
    FROM reconciler.watch_list AS watch
    JOIN operation_runs AS run ON run.id = watch.operation_run_id AND run.status IN ('queued', 'running')
    WHERE NOT EXISTS (
        SELECT FROM reconciler.attempts AS attempt WHERE attempt.operation_run_id = watch.operation_run_id
    )
    UNION ALL
    SELECT
        CASE WHEN job.status IN ('Queued', 'Running') THEN 'in_hand' ELSE 'waiting' END,
        coalesce(job.lock_at, job.run_at)
    FROM apalis.jobs AS job
    WHERE job.job_type = 'restore.execute'
      AND (
          job.status IN ('Pending', 'Queued', 'Running')
          OR (job.status = 'Failed' AND job.attempts < job.max_attempts)
      )
) AS entry
GROUP BY state
