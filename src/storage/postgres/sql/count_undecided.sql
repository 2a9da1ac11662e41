-- count_undecided: open runs of a viewer, or of all, by the reason why they are, as they were looked at last; when the oldest
-- started, or was created, and when the first is looked at again.
SELECT
    watch.reason_code AS reason,
    count(*) AS entries,
    min(
        CASE
            WHEN run.started_at >= '1970-01-01' AND run.started_at < '10000-01-01' THEN run.started_at
            WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at
            ELSE watch.first_seen_at
        END
    ) AS oldest,
    min(watch.look_again_at) AS next_at
FROM reconciler.watch_list AS watch
-- OFFSET has each run looked up by its id.
CROSS JOIN LATERAL (
    SELECT started_at, created_at, managed_environment_id, workspace_id
    FROM operation_runs
    WHERE id = watch.operation_run_id AND status IN ('queued', 'running')
    OFFSET 0
) AS run
WHERE $1::bigint[] IS NULL
   OR (
       run.workspace_id = ANY ($1)
       AND (
           run.managed_environment_id IS NULL
           OR (run.managed_environment_id, run.workspace_id) IN (
               SELECT environment.id, environment.workspace_id
               FROM managed_environments AS environment
               WHERE environment.deleted_at IS NULL
           )
       )
   )
GROUP BY watch.reason_code
