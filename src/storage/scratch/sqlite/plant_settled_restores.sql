-- plant_settled_restores: the restores of runs that were closed long ago.
INSERT INTO restore_runs (
    id, workspace_id, managed_environment_id, backup_set_id, operation_run_id, status, requested_items, results,
    metadata, started_at, completed_at, created_at
)
SELECT
    id, workspace_id, managed_environment_id, managed_environment_id, id, 'completed', '[1]',
    '{"foundations": [], "items": {"1": {"status": "applied"}}}', '{"total": 1, "succeeded": 1}',
    started_at, completed_at, created_at
FROM operation_runs
WHERE id BETWEEN ?1 AND ?2
