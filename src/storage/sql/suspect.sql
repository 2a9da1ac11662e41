-- suspect: remembers open runs that were in the hands of a process that ended.
-- For IS TRUE see lock_open_runs.
INSERT INTO reconciler.attempts AS other (
    operation_run_id, workspace_id, managed_environment_id, worker, first_seen_at, try_again_at, run_created_at
)
SELECT run.id, run.workspace_id, run.managed_environment_id, $2, statement_timestamp(), statement_timestamp(),
    CASE WHEN run.created_at >= '1970-01-01' AND run.created_at < '10000-01-01' THEN run.created_at END
FROM operation_runs AS run
WHERE run.id = ANY ($1::bigint[]) AND run.type = 'restore.execute' AND (run.status IN ('queued', 'running')) IS TRUE
ORDER BY run.id
ON CONFLICT (operation_run_id) DO UPDATE
SET workspace_id = excluded.workspace_id, managed_environment_id = excluded.managed_environment_id,
    run_created_at = excluded.run_created_at, tries = 0, worker = excluded.worker,
    first_seen_at = excluded.first_seen_at, last_tried_at = NULL, try_again_at = excluded.try_again_at, dead_at = NULL,
    dropped_at = NULL
-- Left by another run with this id.
WHERE other.workspace_id <> excluded.workspace_id
    OR other.managed_environment_id <> excluded.managed_environment_id
    OR other.run_created_at <> excluded.run_created_at
