-- has_tables: whether the file holds tables that could be the platform's, our own schema or the beginnings of one, and the
-- tables of the library that delivers jobs.
SELECT
    (
        SELECT count(*) = 4
        FROM sqlite_schema AS found
        JOIN pragma_table_info(found.name) AS info
        WHERE found.type IN ('table', 'view')
          AND found.name IN ('operation_runs', 'restore_runs', 'evidence_snapshots', 'audit_logs')
          AND info.name = 'managed_environment_id'
    ) AS has_platform,
    EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'reconciler_migrations') AS has_own,
    (SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'table' AND name IN ('Jobs', 'Workers')) AS has_queue
