-- survey_audits: the actions and types of resources of audit entries about restores, and how many restores each is about.
-- $4: among how many of the newest entries. Our own entries are about runs.
WITH found AS MATERIALIZED (
    SELECT audit.action, audit.resource_type, audit.resource_id
    FROM (
        SELECT
            action::text AS action,
            resource_type::text AS resource_type,
            resource_id::text AS resource_id,
            workspace_id,
            managed_environment_id
        FROM audit_logs
        ORDER BY id DESC
        LIMIT $4
    ) AS audit
    JOIN unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS ask (restore_id, workspace_id, environment_id)
      ON audit.resource_id = ask.restore_id::text
     AND audit.workspace_id = ask.workspace_id
     AND audit.managed_environment_id = ask.environment_id
    WHERE audit.resource_type IS DISTINCT FROM 'operation_run'
)
SELECT true AS is_action, action AS word, count(DISTINCT resource_id) AS restores
FROM found
WHERE action IS NOT NULL
GROUP BY action
UNION ALL
SELECT false, resource_type, count(DISTINCT resource_id)
FROM found
WHERE resource_type IS NOT NULL
GROUP BY resource_type
