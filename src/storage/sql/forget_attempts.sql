-- forget_attempts: forgets unfinished settlements of runs whose settlement has come to its end.
DELETE FROM reconciler.attempts WHERE operation_run_id = ANY ($1::bigint[])
