-- prune_workers: removes workers of ours that were not heard of for long and that no job names, at most ?2.
DELETE FROM Workers
WHERE id IN (
    SELECT id
    FROM Workers
    WHERE worker_type IN ('restore.execute', 'restore.sweep')
      AND last_seen < unixepoch('now') - ?1 / 1000000
      AND id NOT IN (SELECT lock_by FROM Jobs WHERE lock_by IS NOT NULL)
    LIMIT ?2
)
