-- prune_jobs: removes jobs of ours that were finished before ?1.
DELETE FROM Jobs
WHERE job_type IN ('restore.execute', 'restore.sweep')
  AND status IN ('Done', 'Failed', 'Killed')
  AND done_at < ?1
