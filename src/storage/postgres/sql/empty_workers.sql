-- empty_workers: forgets all workers, and gives what they have in hand back to its queue.
WITH released AS (
    UPDATE apalis.jobs AS job
    SET status = CASE WHEN job.status IN ('Queued', 'Running') THEN 'Pending' ELSE job.status END, lock_by = NULL, lock_at = NULL
    WHERE job.lock_by IS NOT NULL
)
DELETE FROM apalis.workers
