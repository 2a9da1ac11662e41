-- lock_open_runs: takes the open restore.execute runs that nobody else holds.
SELECT run.id
FROM operation_runs AS run
WHERE run.id = ANY ($1::bigint[])
  AND run.type = 'restore.execute'
  AND run.status IN ('queued', 'running')
ORDER BY run.id
FOR UPDATE SKIP LOCKED
