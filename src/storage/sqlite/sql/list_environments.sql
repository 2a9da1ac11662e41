-- list_environments: a viewer's live environments after one, at most ?4, in the order of workspaces.
SELECT
    environment.workspace_id,
    CAST(substr(coalesce(workspace.name, ''), 1, 256) AS TEXT) AS workspace_name,
    environment.id AS environment_id,
    CAST(substr(coalesce(environment.name, ''), 1, 256) AS TEXT) AS name
FROM managed_environments AS environment
JOIN workspaces AS workspace ON workspace.id = environment.workspace_id
WHERE environment.deleted_at IS NULL
  AND (?1 IS NULL OR environment.workspace_id IN (SELECT value FROM json_each(?1)))
  AND (?2 IS NULL OR (environment.workspace_id, environment.id) > (?2, ?3))
ORDER BY environment.workspace_id, environment.id
LIMIT ?4
