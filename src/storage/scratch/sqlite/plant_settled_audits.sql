-- plant_settled_audits: the platform's audit entries about restores that ended long ago, and ours about their runs.
WITH entry (action, resource_type) AS (
    VALUES ('restore.completed', 'restore_run'), ('operation_run.reconciled', 'operation_run')
)
INSERT INTO audit_logs (
    workspace_id, managed_environment_id, actor_type, action, resource_type, resource_id, status, outcome,
    recorded_at
)
SELECT
    run.workspace_id, run.managed_environment_id, 'system', entry.action, entry.resource_type,
    CAST(run.id AS TEXT), 'success', 'success', run.completed_at
FROM operation_runs AS run CROSS JOIN entry
WHERE run.id BETWEEN ?1 AND ?2
