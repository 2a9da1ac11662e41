-- plant_audits: adds rows to the stand-in's audit_logs.
INSERT INTO audit_logs (
    workspace_id, managed_environment_id, action, resource_type, resource_id, status, outcome,
    recorded_at, actor_type
)
SELECT
    workspace_id, managed_environment_id, action, resource_type, resource_id, status, outcome,
    recorded_at::timestamptz, 'system'
FROM json_to_recordset($1::json) AS planted (
    workspace_id bigint, managed_environment_id bigint, action text, resource_type text,
    resource_id text, status text, outcome text, recorded_at text
)
