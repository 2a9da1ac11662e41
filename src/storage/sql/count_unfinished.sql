-- count_unfinished: how many jobs that ask for one run wait, are in hand, or will be tried again.
SELECT count(*)
FROM apalis.jobs
WHERE job_type = 'restore.execute'
  AND (status IN ('Pending', 'Queued', 'Running') OR (status = 'Failed' AND attempts < max_attempts))
