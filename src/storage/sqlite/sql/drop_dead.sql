-- drop_dead: takes dead letters out of the lists at ?2, and says which were not dropped before, then which are dead.
UPDATE reconciler_attempts
SET dropped_at = ?2
WHERE operation_run_id IN (SELECT value FROM json_each(?1)) AND dead_at IS NOT NULL AND dropped_at IS NULL
RETURNING operation_run_id, true;
SELECT operation_run_id, false
FROM reconciler_attempts
WHERE operation_run_id IN (SELECT value FROM json_each(?1)) AND dead_at IS NOT NULL
