-- find_environment: the workspace of a live environment that a viewer may see; of a deleted one
-- too where $3 says so.
SELECT environment.workspace_id
FROM managed_environments AS environment
WHERE environment.id = $2
  AND (environment.deleted_at IS NULL OR $3::boolean)
  AND ($1::bigint[] IS NULL OR environment.workspace_id = ANY ($1::bigint[]))
