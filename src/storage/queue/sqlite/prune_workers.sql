-- prune_workers: removes workers of ours that were not heard of since ?1 and hold no job.
DELETE FROM Workers
WHERE worker_type IN ('restore.execute', 'restore.sweep')
  AND last_seen < ?1
  AND NOT EXISTS (SELECT 1 FROM Jobs WHERE Jobs.lock_by = Workers.id)
