-- load_attempts: what is remembered of a run's unfinished settlements.
SELECT tries::bigint, (extract(epoch FROM try_again_at) * 1000000)::bigint, dead_at IS NOT NULL
FROM reconciler.attempts
WHERE operation_run_id = $1
FOR UPDATE
