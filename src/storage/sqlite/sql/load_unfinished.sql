-- load_unfinished: every job that waits or is in hand. Whoever reads it finds the run in its payload.
SELECT
    CASE WHEN status IN ('Queued', 'Running') THEN 'in_hand' ELSE 'waiting' END AS state,
    NULL AS run,
    NULL AS workspace,
    NULL AS environment,
    id AS job,
    job AS payload,
    lock_by AS worker,
    attempts + (status IN ('Queued', 'Running')) AS tries,
    CAST(coalesce(lock_at, run_at) AS INTEGER) * 1000000 AS since,
    NULL AS next_at,
    NULL AS reason,
    NULL AS error,
    1 AS in_state,
    CAST(coalesce(lock_at, run_at) AS INTEGER) * 1000000 AS oldest
FROM Jobs
WHERE job_type = 'restore.execute'
  AND (status IN ('Pending', 'Queued', 'Running') OR (status = 'Failed' AND attempts < max_attempts))
ORDER BY since, id
