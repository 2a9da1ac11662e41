-- kill_jobs: removes jobs that still wait from the queue.
UPDATE Jobs
SET status = 'Killed', done_at = unixepoch('now')
WHERE status = 'Pending' AND id IN (SELECT value FROM json_each(?1))
