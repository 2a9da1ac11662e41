-- functions: functions of schema reconciler by name, and whether this role may call them.
SELECT
    called.proname::text AS name,
    has_function_privilege(called.oid, 'EXECUTE') AS may_execute
FROM pg_proc AS called
JOIN pg_namespace AS own ON own.oid = called.pronamespace
WHERE own.nspname = 'reconciler' AND called.proname = ANY ($1::text[])
ORDER BY called.proname
