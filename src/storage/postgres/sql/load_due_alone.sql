-- load_due_alone: as load_due, where nothing of ours is in the database yet: each open run is due.
WITH open AS MATERIALIZED (
    SELECT run.workspace_id, run.id
    FROM operation_runs AS run
    WHERE run.type = 'restore.execute'
      AND run.status IN ('queued', 'running')
      AND (run.workspace_id = ANY ($1::bigint[])) IS TRUE
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
) AS due
WHERE due.place <= $4
ORDER BY due.workspace_id, due.id
