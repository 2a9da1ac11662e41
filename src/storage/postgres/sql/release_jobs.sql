-- release_jobs: gives jobs back to their queue that their worker still holds, for a second later.
-- For IS TRUE see finish_jobs.
UPDATE apalis.jobs AS job
SET status = 'Pending', lock_by = NULL, lock_at = NULL, run_at = statement_timestamp() + interval '1 second'
WHERE job.id = ANY ($1::text[])
  AND job.status IN ('Queued', 'Running')
  AND ((job.id, job.lock_by) IN (SELECT held.id, held.worker FROM unnest($1::text[], $2::text[]) AS held (id, worker))) IS TRUE
