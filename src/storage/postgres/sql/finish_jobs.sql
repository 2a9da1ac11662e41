-- finish_jobs: marks jobs as done that their worker still holds.
-- IS TRUE keeps the planner from making a join of it: it believes that hardly any job is in hand, and would then
-- compare each job with every other, or walk all that a worker ever held.
UPDATE apalis.jobs AS job
SET status = 'Done', done_at = statement_timestamp()
WHERE job.id = ANY ($1::text[])
  AND job.status IN ('Queued', 'Running')
  AND ((job.id, job.lock_by) IN (SELECT held.id, held.worker FROM unnest($1::text[], $2::text[]) AS held (id, worker))) IS TRUE
