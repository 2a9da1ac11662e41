-- lock_open_runs: the open restore.execute runs; the transaction already keeps every writer out.
SELECT id
FROM operation_runs
WHERE id IN (SELECT value FROM json_each(?1))
  AND type = 'restore.execute'
  AND status IN ('queued', 'running')
ORDER BY id
