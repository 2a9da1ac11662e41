-- load_due: of each workspace asked for, its first due runs above one id and up to another.
-- All of its due runs are numbered and most numbers thrown away, on purpose: a LATERAL with a LIMIT is quicker
-- with the right index and takes minutes without it, and indexes of this table are for the platform to choose.
SELECT due.workspace_id, due.id
FROM (
    SELECT
        run.workspace_id,
        run.id,
        row_number() OVER (PARTITION BY run.workspace_id ORDER BY run.id) AS place
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS span (workspace_id, after, last)
    JOIN operation_runs AS run
      ON run.workspace_id = span.workspace_id AND run.id > span.after AND run.id <= span.last
    WHERE run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      AND NOT EXISTS (
          SELECT
          FROM reconciler.watch_list AS watch
          WHERE watch.operation_run_id = run.id AND watch.look_again_at > statement_timestamp()
      )
      AND NOT EXISTS (
          SELECT
          FROM reconciler.attempts AS attempt
          WHERE attempt.operation_run_id = run.id
            AND (attempt.dead_at IS NOT NULL OR attempt.try_again_at > statement_timestamp())
      )
) AS due
WHERE due.place <= $4
ORDER BY due.workspace_id, due.id
