-- load_open: the open restore.execute runs among some.
SELECT id
FROM operation_runs
WHERE id IN (SELECT value FROM json_each(?1))
  AND type = 'restore.execute'
  AND status IN ('queued', 'running')
ORDER BY id
