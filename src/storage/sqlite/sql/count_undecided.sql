-- count_undecided: open runs of a viewer, or of all, by the reason why they are, as they were looked at last; when the oldest
-- started, or was created, and when the first is looked at again.
SELECT
    watch.reason_code AS reason,
    count(*) AS entries,
    min(
        CASE
            WHEN run.started_at BETWEEN 0 AND 253402300799999999 THEN run.started_at
            WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at
            ELSE watch.first_seen_at
        END
    ) AS oldest,
    min(watch.look_again_at) AS next_at
FROM reconciler_watch_list AS watch
JOIN operation_runs AS run ON run.id = watch.operation_run_id AND run.status IN ('queued', 'running')
WHERE ?1 IS NULL
   OR (
       run.workspace_id IN (SELECT value FROM json_each(?1))
       AND (
           run.managed_environment_id IS NULL
           OR EXISTS (
               SELECT 1
               FROM managed_environments AS live
               WHERE live.id = run.managed_environment_id
                 AND live.workspace_id = run.workspace_id
                 AND live.deleted_at IS NULL
           )
       )
   )
GROUP BY watch.reason_code
