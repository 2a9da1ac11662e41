-- plant_settled_runs: runs that were closed long ago, of the workspaces in turn.
WITH RECURSIVE number (run) AS (
    SELECT ?1 UNION ALL SELECT run + 1 FROM number WHERE run < ?2
),
environment AS MATERIALIZED (
    SELECT id, workspace_id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS places
    FROM managed_environments
)
INSERT INTO operation_runs (
    id, workspace_id, managed_environment_id, initiator_name, type, status, outcome, run_identity_hash,
    summary_counts, failure_summary, context, started_at, completed_at, created_at, updated_at
)
SELECT
    run, environment.workspace_id, environment.id, 'A. Operator', 'restore.execute', 'completed', 'succeeded',
    'run-' || run, '{"total": 1, "succeeded": 1}', '[]',
    '{"restore_run_id": ' || run || ', "reconciliation": {"outcome": "succeeded"}}',
    1735689600000000 + run * 10000000, 1735689600000000 + run * 10000000,
    1735689600000000 + run * 10000000, 1735689600000000 + run * 10000000
FROM number JOIN environment ON environment.place = run % environment.places
