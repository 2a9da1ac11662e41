-- find_preparing: of each environment, the restore that is being prepared and has the highest id.
SELECT restore.managed_environment_id AS environment_id, max(restore.id) AS restore_id
FROM json_each(?1) AS ask
CROSS JOIN restore_runs AS restore
  ON restore.managed_environment_id = ask.value ->> '$.environment'
 AND +restore.workspace_id = ask.value ->> '$.workspace'
 AND restore.deleted_at IS NULL
WHERE restore.status IN ('draft', 'scoped', 'checked', 'previewed', 'pending')
GROUP BY restore.managed_environment_id
