-- kill_jobs: removes jobs from the queue that wait and ask for one of these runs.
UPDATE Jobs
SET status = 'Killed', done_at = unixepoch('now')
WHERE job_type = 'restore.execute'
  AND status = 'Pending'
  AND CASE WHEN json_valid(CAST(job AS TEXT)) THEN CAST(job AS TEXT) ->> '$.run' END IN (SELECT value FROM json_each(?1))
