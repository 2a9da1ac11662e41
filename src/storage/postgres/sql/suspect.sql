-- suspect: remembers open runs that were in the hands of a process that ended.
-- For IS TRUE see lock_open_runs.
INSERT INTO reconciler.attempts (
    operation_run_id, workspace_id, managed_environment_id, worker, first_seen_at, try_again_at
)
SELECT run.id, run.workspace_id, run.managed_environment_id, $2, statement_timestamp(), statement_timestamp()
FROM operation_runs AS run
WHERE run.id = ANY ($1::bigint[]) AND run.type = 'restore.execute' AND (run.status IN ('queued', 'running')) IS TRUE
ORDER BY run.id
ON CONFLICT (operation_run_id) DO NOTHING
