-- forget_closed: takes runs off the watch list, and forgets the attempts at them, that somebody else has closed or
-- deleted.
WITH attempts AS (
    DELETE FROM reconciler.attempts AS attempt
    WHERE NOT EXISTS (
        SELECT 1
        FROM operation_runs AS run
        WHERE run.id = attempt.operation_run_id AND run.status IN ('queued', 'running')
    )
)
DELETE FROM reconciler.watch_list AS watch
WHERE NOT EXISTS (
    SELECT 1
    FROM operation_runs AS run
    WHERE run.id = watch.operation_run_id AND run.status IN ('queued', 'running')
)
