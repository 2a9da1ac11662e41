-- list_environments: a viewer's live environments after one, at most $4, in the order of workspaces; or those of them
-- that are asked for by their ids.
SELECT
    environment.workspace_id,
    CAST(substr(coalesce(workspace.name, ''), 1, 256) AS text) AS workspace_name,
    environment.id AS environment_id,
    CAST(substr(coalesce(environment.name, ''), 1, 256) AS text) AS name
FROM managed_environments AS environment
JOIN workspaces AS workspace ON workspace.id = environment.workspace_id
WHERE environment.deleted_at IS NULL
  AND ($1::bigint[] IS NULL OR environment.workspace_id = ANY ($1::bigint[]))
  AND ($2::bigint IS NULL OR (environment.workspace_id, environment.id) > ($2, $3::bigint))
  AND ($5::bigint[] IS NULL OR environment.id = ANY ($5::bigint[]))
ORDER BY environment.workspace_id, environment.id
LIMIT $4
