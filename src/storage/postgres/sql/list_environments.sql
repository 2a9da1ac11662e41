-- list_environments: a viewer's live environments after one, at most $4, in the order of workspaces.
SELECT
    environment.workspace_id,
    left(coalesce(workspace.name, ''), 256)::text AS workspace_name,
    environment.id AS environment_id,
    left(coalesce(environment.name, ''), 256)::text AS name
FROM managed_environments AS environment
JOIN workspaces AS workspace ON workspace.id = environment.workspace_id
WHERE environment.deleted_at IS NULL
  AND ($1::bigint[] IS NULL OR environment.workspace_id = ANY ($1))
  AND ($2::bigint IS NULL OR (environment.workspace_id, environment.id) > ($2, $3::bigint))
ORDER BY environment.workspace_id, environment.id
LIMIT $4
