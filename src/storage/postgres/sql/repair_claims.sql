-- repair_claims: gives jobs back to their queue of whose worker there is no row any more.
UPDATE apalis.jobs AS job
SET status = CASE WHEN job.status IN ('Queued', 'Running') THEN 'Pending' ELSE job.status END, lock_by = NULL, lock_at = NULL
WHERE job.lock_by IS NOT NULL AND NOT EXISTS (SELECT FROM apalis.workers AS worker WHERE worker.id = job.lock_by)
