-- plant_snapshots: adds rows to the stand-in's evidence_snapshots.
INSERT INTO evidence_snapshots (
    id, workspace_id, managed_environment_id, operation_run_id, status, completeness_state,
    generated_at, expires_at
)
SELECT
    id, workspace_id, managed_environment_id, operation_run_id, status, completeness_state,
    generated_at::timestamptz, expires_at::timestamptz
FROM json_to_recordset($1::json) AS planted (
    id bigint, workspace_id bigint, managed_environment_id bigint, operation_run_id bigint,
    status text, completeness_state text, generated_at text, expires_at text
)
