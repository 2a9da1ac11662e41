-- list_workers: workers of ours that were heard of in the last $2 seconds, the latest first, at most $1.
SELECT
    worker.id AS name,
    worker.worker_type AS queue,
    worker.last_seen AS last_seen_at
FROM apalis.workers AS worker
WHERE worker.worker_type IN ('restore.execute', 'restore.sweep')
  AND worker.last_seen > statement_timestamp() - make_interval(secs => $2::bigint)
ORDER BY worker.last_seen DESC, worker.id
LIMIT $1
