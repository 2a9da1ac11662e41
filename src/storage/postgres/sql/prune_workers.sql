-- prune_workers: removes workers of ours that were not heard of for long and that no job names, at most $2.
DELETE FROM apalis.workers
WHERE id IN (
    SELECT worker.id
    FROM apalis.workers AS worker
    WHERE worker.worker_type IN ('restore.execute', 'restore.sweep')
      AND worker.last_seen < statement_timestamp() - $1::bigint * interval '1 microsecond'
      AND NOT EXISTS (SELECT 1 FROM apalis.jobs AS job WHERE job.lock_by = worker.id)
    LIMIT $2
)
