-- insert_audits: one entry per verdict. For the blank record see close_runs.
INSERT INTO audit_logs (
    workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
    resource_id, status, outcome, summary, metadata, recorded_at
)
SELECT
    workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
    resource_id, status, outcome, summary, metadata, recorded_at
FROM json_populate_recordset(
    (SELECT blank::audit_logs FROM (SELECT (NULL::audit_logs).*) AS blank), $1::json
)
