-- plant_runs: adds rows to the stand-in's operation_runs.
INSERT INTO operation_runs (
    id, workspace_id, managed_environment_id, type, status, outcome, summary_counts,
    failure_summary, context, started_at, completed_at, created_at, initiator_name,
    run_identity_hash, updated_at
)
SELECT
    id, workspace_id, managed_environment_id, type, status, outcome, summary_counts::json,
    failure_summary::json, context::json, started_at::timestamptz, completed_at::timestamptz,
    created_at::timestamptz, 'A. Operator', 'run-' || id, created_at::timestamptz
FROM json_to_recordset($1::json) AS planted (
    id bigint, workspace_id bigint, managed_environment_id bigint, type text, status text,
    outcome text, summary_counts text, failure_summary text, context text, started_at text,
    completed_at text, created_at text
)
