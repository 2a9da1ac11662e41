-- load_awaited: open runs whose time to be looked at again, or to be tried again, has come; workspaces in turns. Last,
-- in a row of its own, how many microseconds until the next run's time comes.
-- $3: only of these workspaces; null is all of them. $4: only those that were created no earlier. For IS TRUE see
-- lock_open_runs.
SELECT due.run, NULL::bigint AS next_in
FROM (
    SELECT awaited.run
    FROM (
        SELECT watch.operation_run_id AS run, watch.workspace_id AS workspace, watch.look_again_at AS moment
        FROM reconciler.watch_list AS watch
        WHERE watch.look_again_at <= statement_timestamp()
          AND NOT EXISTS (
              SELECT 1 FROM reconciler.attempts AS attempt WHERE attempt.operation_run_id = watch.operation_run_id
          )
        UNION ALL
        SELECT attempt.operation_run_id, attempt.workspace_id, attempt.try_again_at
        FROM reconciler.attempts AS attempt
        WHERE attempt.dead_at IS NULL AND attempt.try_again_at <= statement_timestamp()
    ) AS awaited
    JOIN operation_runs AS run
        ON run.id = awaited.run AND run.type = 'restore.execute' AND (run.status IN ('queued', 'running')) IS TRUE
    WHERE ($3::bigint[] IS NULL OR run.workspace_id = ANY ($3))
      AND ($4::timestamptz IS NULL OR run.created_at >= $4 AND isfinite(run.created_at))
      AND (run.workspace_id <> ALL (ARRAY(SELECT workspace_id FROM reconciler.pauses))) IS TRUE
    ORDER BY row_number() OVER (PARTITION BY awaited.workspace ORDER BY awaited.moment), awaited.moment
    LIMIT $1
) AS due
UNION ALL
SELECT NULL, (extract(epoch FROM least(
    (SELECT min(look_again_at) FROM reconciler.watch_list WHERE look_again_at > statement_timestamp()),
    (SELECT min(try_again_at) FROM reconciler.attempts
     WHERE dead_at IS NULL AND try_again_at > statement_timestamp())
) - statement_timestamp()) * 1000000)::bigint
