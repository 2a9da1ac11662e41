-- forget_attempts: forgets unfinished settlements of runs whose settlement has come to its end.
DELETE FROM reconciler_attempts WHERE operation_run_id IN (SELECT value FROM json_each(?1))
