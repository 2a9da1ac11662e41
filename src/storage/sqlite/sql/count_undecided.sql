-- count_undecided: open runs by the reason why they are, as they were looked at last, and when the oldest started, or was
-- created.
SELECT
    watch.reason_code AS reason,
    count(*) AS entries,
    min(
        CASE
            WHEN run.started_at BETWEEN 0 AND 253402300799999999 THEN run.started_at
            WHEN run.created_at BETWEEN 0 AND 253402300799999999 THEN run.created_at
            ELSE watch.first_seen_at
        END
    ) AS oldest
FROM reconciler_watch_list AS watch
JOIN operation_runs AS run ON run.id = watch.operation_run_id AND run.status IN ('queued', 'running')
GROUP BY watch.reason_code
