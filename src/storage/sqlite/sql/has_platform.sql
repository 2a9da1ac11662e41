-- has_platform: whether the file holds tables that could be the platform's.
SELECT count(*) = 4
FROM sqlite_schema AS found
JOIN pragma_table_info(found.name) AS info
WHERE found.type IN ('table', 'view')
  AND found.name IN ('operation_runs', 'restore_runs', 'evidence_snapshots', 'audit_logs')
  AND info.name = 'managed_environment_id'
