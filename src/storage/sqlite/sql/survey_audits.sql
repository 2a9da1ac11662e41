-- survey_audits: the actions and types of resources of audit entries about restores, and how many restores each is about.
-- ?2: among how many of the newest entries. Our own entries are about runs.
WITH ask AS MATERIALIZED (
    SELECT
        CAST(value ->> '$.restore' AS TEXT) AS resource_id,
        value ->> '$.workspace' AS workspace_id,
        value ->> '$.environment' AS environment_id
    FROM json_each(?1)
), found AS MATERIALIZED (
    SELECT CAST(audit.action AS TEXT) AS action, CAST(audit.resource_type AS TEXT) AS resource_type, audit.resource_id
    FROM (SELECT * FROM audit_logs ORDER BY id DESC LIMIT ?2) AS audit
    JOIN ask
      ON audit.resource_id = ask.resource_id
     AND audit.workspace_id = ask.workspace_id
     AND audit.managed_environment_id = ask.environment_id
    WHERE audit.resource_type IS NOT 'operation_run'
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
