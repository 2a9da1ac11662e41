-- lock_migrations: lets one process migrate at a time, until its transaction ends, and take the time that it needs, but not wait
-- for ever for locks of others. What others made meanwhile is only seen once a table is opened: a schema that was missing
-- before would be made twice.
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = '5s';
SELECT pg_advisory_xact_lock(7165068);
SELECT FROM pg_namespace LIMIT 0
