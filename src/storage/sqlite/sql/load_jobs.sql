-- load_jobs: jobs in any state that may ask for run ?1, the latest first: its digits are in their payload.
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
  AND instr(CAST(job AS BLOB), CAST(CAST(?1 AS TEXT) AS BLOB)) > 0
ORDER BY run_at DESC, id DESC
