-- prune_jobs: removes jobs of ours that were finished long ago, at most $2. A failed one that will be tried again is not.
DELETE FROM apalis.jobs
WHERE id IN (
    SELECT id
    FROM apalis.jobs
    WHERE job_type IN ('restore.execute', 'restore.sweep')
      AND (status IN ('Done', 'Killed') OR (status = 'Failed' AND attempts >= max_attempts))
      AND done_at < statement_timestamp() - $1::bigint * interval '1 microsecond'
    LIMIT $2
)
