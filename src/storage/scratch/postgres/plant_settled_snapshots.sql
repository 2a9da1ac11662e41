-- plant_settled_snapshots: the evidence of runs that were closed long ago.
INSERT INTO evidence_snapshots (
    id, workspace_id, managed_environment_id, operation_run_id, status, completeness_state, generated_at
)
SELECT
    run.id, run.workspace_id, run.managed_environment_id, run.id, 'active', 'complete',
    run.completed_at AT TIME ZONE 'UTC'
FROM operation_runs AS run
WHERE run.id BETWEEN $1 AND $2
