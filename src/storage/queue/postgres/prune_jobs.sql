-- prune_jobs: removes jobs of ours that were finished long ago, at most $2.
DELETE FROM apalis.jobs
WHERE id IN (
    SELECT id
    FROM apalis.jobs
    WHERE job_type IN ('restore.execute', 'restore.sweep')
      AND status IN ('Done', 'Failed', 'Killed')
      AND done_at < statement_timestamp() - make_interval(secs => $1)
    LIMIT $2
)
