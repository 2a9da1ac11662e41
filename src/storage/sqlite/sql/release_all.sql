-- release_all: gives back to their queue the jobs that workers of process ?1 still hold.
UPDATE Jobs
SET status = 'Pending', lock_by = NULL, lock_at = NULL
WHERE job_type IN ('restore.execute', 'restore.sweep')
  AND status IN ('Queued', 'Running')
  AND substr(lock_by, 1, length(?1) + 1) = ?1 || '/'
