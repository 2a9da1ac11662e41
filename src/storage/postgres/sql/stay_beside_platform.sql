-- stay_beside_platform: makes the platform's schema the one in which this transaction creates what has no schema named.
SELECT set_config('search_path', quote_ident(space.nspname), true)
FROM pg_class AS class
JOIN pg_namespace AS space ON space.oid = class.relnamespace
WHERE class.oid = to_regclass('operation_runs')
