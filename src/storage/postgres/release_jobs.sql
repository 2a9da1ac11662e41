-- release_jobs: gives jobs back to their queue that their worker still holds, for a second later.
UPDATE apalis.jobs AS job
SET status = 'Pending', lock_by = NULL, lock_at = NULL, run_at = statement_timestamp() + interval '1 second'
FROM unnest($1::text[], $2::text[]) AS held (id, worker)
WHERE job.id = held.id
  AND job.lock_by IS NOT DISTINCT FROM held.worker
  AND job.status IN ('Queued', 'Running')
