-- discard: marks a job as one that nobody can read.
UPDATE apalis.jobs
SET status = 'Killed', done_at = statement_timestamp()
WHERE id = $1 AND lock_by IS NOT DISTINCT FROM $2
