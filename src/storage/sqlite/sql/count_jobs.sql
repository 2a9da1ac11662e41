-- count_jobs: how many jobs wait and how many are in hand, and since when the oldest is.
SELECT
    CASE WHEN status IN ('Queued', 'Running') THEN 'in_hand' ELSE 'waiting' END AS state,
    count(*) AS entries,
    CAST(min(coalesce(lock_at, run_at)) AS INTEGER) * 1000000 AS oldest
FROM Jobs
WHERE job_type = 'restore.execute'
  AND (status IN ('Pending', 'Queued', 'Running') OR (status = 'Failed' AND attempts < max_attempts))
GROUP BY state
