-- insert_audits: one entry per verdict.
INSERT INTO audit_logs (
    workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
    resource_id, status, outcome, summary, metadata, recorded_at
)
SELECT
    value ->> '$.workspace_id', value ->> '$.managed_environment_id', value ->> '$.actor_type',
    value ->> '$.actor_label', value ->> '$.action', value ->> '$.resource_type',
    value ->> '$.resource_id', value ->> '$.status', value ->> '$.outcome', value ->> '$.summary',
    value -> '$.metadata', unixepoch(value ->> '$.recorded_at') * 1000000
FROM json_each(?1)
