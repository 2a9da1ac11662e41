-- prune_jobs: removes jobs of ours that were finished long ago, at most ?2. A failed one that will be tried again is not.
DELETE FROM Jobs
WHERE id IN (
    SELECT id
    FROM Jobs
    WHERE job_type IN ('restore.execute', 'restore.sweep')
      AND (status IN ('Done', 'Killed') OR (status = 'Failed' AND attempts >= max_attempts))
      AND done_at < unixepoch('now') - ?1 / 1000000
    LIMIT ?2
)
