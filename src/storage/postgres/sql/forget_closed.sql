-- forget_closed: takes runs off the watch list that somebody else has closed or deleted.
DELETE FROM reconciler.watch_list AS watch
WHERE NOT EXISTS (
    SELECT 1
    FROM operation_runs AS run
    WHERE run.id = watch.operation_run_id AND run.status IN ('queued', 'running')
)
