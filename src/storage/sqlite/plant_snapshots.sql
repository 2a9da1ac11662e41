-- plant_snapshots: adds rows to the stand-in's evidence_snapshots.
INSERT INTO evidence_snapshots (
    id, workspace_id, managed_environment_id, operation_run_id, status, completeness_state,
    generated_at, expires_at
)
SELECT
    value ->> '$.id',
    value ->> '$.workspace_id',
    value ->> '$.managed_environment_id',
    value ->> '$.operation_run_id',
    value ->> '$.status',
    value ->> '$.completeness_state',
    coalesce(CAST(unixepoch(value ->> '$.generated_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.generated_at'),
    coalesce(CAST(unixepoch(value ->> '$.expires_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.expires_at')
FROM json_each(?1)
