-- finish_jobs: marks jobs as done that their worker still holds.
-- With `=` instead of IS NOT DISTINCT FROM the planner would walk all that a worker ever held.
UPDATE apalis.jobs AS job
SET status = 'Done', done_at = statement_timestamp()
FROM unnest($1::text[], $2::text[]) AS held (id, worker)
WHERE job.id = held.id
  AND job.lock_by IS NOT DISTINCT FROM held.worker
  AND job.status IN ('Queued', 'Running')
