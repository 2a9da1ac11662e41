-- forget_closed: takes runs off the watch list that somebody else has closed or deleted.
DELETE FROM reconciler_watch_list
WHERE NOT EXISTS (
    SELECT 1
    FROM operation_runs AS run
    WHERE run.id = reconciler_watch_list.operation_run_id AND run.status IN ('queued', 'running')
)
