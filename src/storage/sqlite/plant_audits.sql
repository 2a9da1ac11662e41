-- plant_audits: adds rows to the stand-in's audit_logs.
INSERT INTO audit_logs (
    workspace_id, managed_environment_id, action, resource_type, resource_id, status, outcome,
    recorded_at, actor_type
)
SELECT
    value ->> '$.workspace_id',
    value ->> '$.managed_environment_id',
    value ->> '$.action',
    value ->> '$.resource_type',
    value ->> '$.resource_id',
    value ->> '$.status',
    value ->> '$.outcome',
    coalesce(CAST(unixepoch(value ->> '$.recorded_at', 'subsec') * 1000 AS INTEGER) * 1000, value ->> '$.recorded_at'),
    'system'
FROM json_each(?1)
