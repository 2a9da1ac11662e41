-- load_due: of each workspace asked for, its first due runs above one id and up to another.
-- All of its due runs are numbered and most numbers thrown away, on purpose: a LATERAL with a LIMIT is quicker
-- with the right index and takes minutes without it, and indexes of this table are for the platform to choose.
-- Open runs are read by themselves for the same reason: joined to the spans, a planner without statistics walks
-- all that a workspace ever ran.
WITH open AS MATERIALIZED (
    SELECT run.workspace_id, run.id
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      -- IS TRUE leaves the choice of the index to the other conditions.
      AND (run.workspace_id = ANY ($1::bigint[])) IS TRUE
      -- As in lock_open_runs.
      AND (run.workspace_id <> ALL (ARRAY(SELECT workspace_id FROM reconciler.pauses))) IS TRUE
      -- As in load_due_workspaces.
      AND (run.managed_environment_id IS NULL OR run.managed_environment_id IS NOT NULL)
)
SELECT due.workspace_id, due.id
FROM (
    SELECT
        run.workspace_id,
        run.id,
        row_number() OVER (PARTITION BY run.workspace_id ORDER BY run.id) AS place
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS span (workspace_id, after, last)
    JOIN open AS run
      ON run.workspace_id = span.workspace_id AND run.id > span.after AND run.id <= span.last
    WHERE NOT EXISTS (
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
