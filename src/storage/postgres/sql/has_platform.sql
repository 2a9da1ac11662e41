-- has_platform: whether the search path leads to tables that could be the platform's.
SELECT count(*) = 4
FROM pg_attribute AS attribute
WHERE (attribute.attrelid, attribute.attname) IN (
    (to_regclass('operation_runs'), 'managed_environment_id'),
    (to_regclass('restore_runs'), 'managed_environment_id'),
    (to_regclass('evidence_snapshots'), 'managed_environment_id'),
    (to_regclass('audit_logs'), 'managed_environment_id')
)
