-- load_dead: the dead letters among some runs.
SELECT operation_run_id
FROM reconciler_attempts
WHERE operation_run_id IN (SELECT value FROM json_each(?1)) AND dead_at IS NOT NULL
