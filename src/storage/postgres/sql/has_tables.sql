-- has_tables: whether the search path leads to tables that could be the platform's, whether the database holds our own
-- schema or the beginnings of one, and whether it holds the tables of the library that delivers jobs.
SELECT
    (
        SELECT count(*) = 4
        FROM pg_attribute AS attribute
        WHERE (attribute.attrelid, attribute.attname) IN (
            (to_regclass('operation_runs'), 'managed_environment_id'),
            (to_regclass('restore_runs'), 'managed_environment_id'),
            (to_regclass('evidence_snapshots'), 'managed_environment_id'),
            (to_regclass('audit_logs'), 'managed_environment_id')
        )
    ) AS has_platform,
    count(*) FILTER (WHERE nspname = 'reconciler' AND relname = 'migrations') > 0 AS has_own,
    count(*) FILTER (WHERE nspname = 'apalis' AND relname IN ('jobs', 'workers')) = 2 AS has_queue
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname IN ('reconciler', 'apalis')
