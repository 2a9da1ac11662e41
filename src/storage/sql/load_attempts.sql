-- load_attempts: what is remembered of a run's unfinished settlements.
SELECT tries::bigint, try_again_at, dead_at IS NOT NULL AS is_dead
FROM reconciler.attempts
WHERE operation_run_id = $1
FOR UPDATE
