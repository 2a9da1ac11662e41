-- load_jobs: the latest jobs in any state that ask for a run.
SELECT
    id,
    status,
    job AS payload,
    lock_by AS worker,
    attempts + (status IN ('Queued', 'Running')) AS deliveries,
    CAST(run_at AS INTEGER) * 1000000 AS run_at,
    CAST(lock_at AS INTEGER) * 1000000 AS taken_at,
    CAST(done_at AS INTEGER) * 1000000 AS done_at
FROM Jobs
WHERE job_type = 'restore.execute'
  AND CASE WHEN json_valid(CAST(job AS TEXT)) THEN CAST(job AS TEXT) ->> '$.run' END = ?1
ORDER BY run_at DESC, id DESC
LIMIT ?2
