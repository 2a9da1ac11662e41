-- plant_settled_snapshots: the evidence of runs that were closed long ago.
INSERT INTO evidence_snapshots (
    id, workspace_id, managed_environment_id, operation_run_id, status, completeness_state, generated_at
)
SELECT id, workspace_id, managed_environment_id, id, 'active', 'complete', completed_at
FROM operation_runs
WHERE id BETWEEN ?1 AND ?2
