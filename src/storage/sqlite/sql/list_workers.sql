-- list_workers: workers of ours that were heard of in the last ?2 seconds, the latest first, at most ?1.
SELECT
    id AS name,
    worker_type AS queue,
    min(max(CAST(last_seen AS INTEGER), 0), 253370764800) * 1000000 AS last_seen_at
FROM Workers
WHERE worker_type IN ('restore.execute', 'restore.sweep')
  AND last_seen > unixepoch('now') - ?2
ORDER BY last_seen DESC, id
LIMIT ?1
