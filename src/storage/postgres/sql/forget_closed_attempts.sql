-- forget_closed_attempts: forgets the attempts at runs that somebody else has closed or deleted.
DELETE FROM reconciler.attempts AS attempt
WHERE NOT EXISTS (
    SELECT 1
    FROM operation_runs AS run
    WHERE run.id = attempt.operation_run_id AND run.status IN ('queued', 'running')
)
