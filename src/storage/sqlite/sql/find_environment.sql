-- find_environment: the workspace of a live environment that a viewer may see.
SELECT environment.workspace_id
FROM managed_environments AS environment
WHERE environment.id = ?2
  AND environment.deleted_at IS NULL
  AND (?1 IS NULL OR environment.workspace_id IN (SELECT value FROM json_each(?1)))
