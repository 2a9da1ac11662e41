-- load_awaited: open runs whose time to be looked at again, or to be tried again, has come by ?2; workspaces in turns.
-- Last, in a row of its own, how many microseconds after ?2 the next run's time comes. ?3: only of these workspaces; null
-- is all of them. ?4: only those that were created no earlier.
SELECT due.run, NULL AS next_in
FROM (
    SELECT awaited.run
    FROM (
        SELECT watch.operation_run_id AS run, watch.workspace_id AS workspace, watch.look_again_at AS moment
        FROM reconciler_watch_list AS watch
        WHERE watch.look_again_at <= ?2
          AND NOT EXISTS (
              SELECT 1 FROM reconciler_attempts AS attempt WHERE attempt.operation_run_id = watch.operation_run_id
          )
        UNION ALL
        SELECT attempt.operation_run_id, attempt.workspace_id, attempt.try_again_at
        FROM reconciler_attempts AS attempt
        WHERE attempt.dead_at IS NULL AND attempt.try_again_at <= ?2
    ) AS awaited
    JOIN operation_runs AS run
        ON run.id = awaited.run AND run.type = 'restore.execute' AND run.status IN ('queued', 'running')
    WHERE (?3 IS NULL OR run.workspace_id IN (SELECT value FROM json_each(?3)))
      AND (?4 IS NULL OR run.created_at >= ?4 AND typeof(run.created_at) = 'integer')
      AND run.workspace_id NOT IN (SELECT workspace_id FROM reconciler_pauses)
    ORDER BY row_number() OVER (PARTITION BY awaited.workspace ORDER BY awaited.moment), awaited.moment
    LIMIT ?1
) AS due
UNION ALL
SELECT NULL, min(moment) - ?2
FROM (
    SELECT min(look_again_at) AS moment FROM reconciler_watch_list WHERE look_again_at > ?2
    UNION ALL
    SELECT min(try_again_at) FROM reconciler_attempts WHERE dead_at IS NULL AND try_again_at > ?2
)
