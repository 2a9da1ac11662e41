-- note_end: the platform's audit entry about the end of a restore.
INSERT INTO audit_logs (
    workspace_id, managed_environment_id, actor_type, action, resource_type, resource_id, status, outcome,
    recorded_at
)
SELECT
    workspace_id, managed_environment_id, 'system', 'restore.completed', 'restore_run', id::text, 'success',
    'success', completed_at
FROM restore_runs
WHERE id = $1
