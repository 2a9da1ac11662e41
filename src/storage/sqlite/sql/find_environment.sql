-- find_environment: the workspace of a live environment that a viewer may see; of a deleted one
-- too where ?3 says so.
SELECT environment.workspace_id
FROM managed_environments AS environment
WHERE environment.id = ?2
  AND (environment.deleted_at IS NULL OR ?3)
  AND (?1 IS NULL OR environment.workspace_id IN (SELECT value FROM json_each(?1)))
