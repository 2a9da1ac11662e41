-- load_due: of each workspace asked for, its first due runs above one id and up to another.
SELECT due.workspace_id, due.id
FROM (
    SELECT
        run.workspace_id,
        run.id,
        row_number() OVER (PARTITION BY run.workspace_id ORDER BY run.id) AS place
    -- The cross join keeps the planner from walking through all runs and the list for each.
    FROM json_each(?1) AS span
    CROSS JOIN operation_runs AS run
    WHERE run.workspace_id = span.value ->> '$.workspace'
      AND run.id > span.value ->> '$.after'
      AND run.id <= span.value ->> '$.last'
      AND run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      AND run.workspace_id NOT IN (SELECT workspace_id FROM reconciler_pauses)
      AND NOT EXISTS (
          SELECT 1
          FROM reconciler_watch_list AS watch
          WHERE watch.operation_run_id = run.id
            AND watch.look_again_at > CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
      )
      AND NOT EXISTS (
          SELECT 1
          FROM reconciler_attempts AS attempt
          WHERE attempt.operation_run_id = run.id
            AND (
                attempt.dead_at IS NOT NULL
                OR attempt.try_again_at > CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000
            )
      )
) AS due
WHERE due.place <= ?2
ORDER BY due.workspace_id, due.id
