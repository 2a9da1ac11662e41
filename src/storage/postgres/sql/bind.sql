-- bind: has our schema serve the platform that the search path leads to.
SELECT reconciler.bind(nspname)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = 'operation_runs'::regclass
