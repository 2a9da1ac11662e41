-- mark_suspects: puts runs on the list of attempts, with none made yet.
INSERT INTO reconciler_attempts (
    operation_run_id, workspace_id, managed_environment_id, worker, first_seen_at, try_again_at
)
SELECT run.id, run.workspace_id, run.managed_environment_id, ?2, ?3, ?3
FROM operation_runs AS run
WHERE run.id IN (SELECT value FROM json_each(?1))
ON CONFLICT (operation_run_id) DO NOTHING
