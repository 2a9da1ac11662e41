-- plant_settled_runs: runs that were closed long ago, of the workspaces in turn.
INSERT INTO operation_runs (
    id, workspace_id, managed_environment_id, initiator_name, type, status, outcome, run_identity_hash,
    summary_counts, failure_summary, context, started_at, completed_at, created_at, updated_at
)
SELECT
    run, environment.workspace_id, environment.id, 'A. Operator', 'restore.execute', 'completed', 'succeeded',
    'run-' || run, '{"total": 1, "succeeded": 1}', '[]',
    jsonb_build_object('restore_run_id', run, 'reconciliation', jsonb_build_object('outcome', 'succeeded')),
    timestamp '2025-01-01' + run * interval '10 seconds', timestamp '2025-01-01' + run * interval '10 seconds',
    timestamp '2025-01-01' + run * interval '10 seconds', timestamp '2025-01-01' + run * interval '10 seconds'
FROM generate_series($1::bigint, $2::bigint) AS run
JOIN (
    SELECT id, workspace_id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS places
    FROM managed_environments
) AS environment ON environment.place = run % environment.places
