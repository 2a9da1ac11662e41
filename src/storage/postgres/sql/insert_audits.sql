-- insert_audits: one entry per verdict.
INSERT INTO audit_logs (
    workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
    resource_id, status, outcome, summary, metadata, recorded_at
)
SELECT
    workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
    resource_id, status, outcome, summary, metadata, recorded_at
FROM json_populate_recordset(NULL::audit_logs, $1::json)
