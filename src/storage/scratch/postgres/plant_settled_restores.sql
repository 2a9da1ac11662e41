-- plant_settled_restores: the restores of runs that were closed long ago.
INSERT INTO restore_runs (
    id, workspace_id, managed_environment_id, backup_set_id, operation_run_id, status, requested_items, results,
    metadata, started_at, completed_at, created_at
)
SELECT
    run.id, run.workspace_id, run.managed_environment_id, run.managed_environment_id, run.id, 'completed', '[1]',
    '{"foundations": [], "items": {"1": {"status": "applied"}}}', '{"total": 1, "succeeded": 1}',
    run.started_at, run.completed_at, run.created_at
FROM operation_runs AS run
WHERE run.id BETWEEN $1 AND $2
