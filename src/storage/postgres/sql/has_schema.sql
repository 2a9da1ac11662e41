-- has_schema: whether the database holds our own schema, or the beginnings of one.
SELECT EXISTS (
    SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'reconciler' AND relname = 'migrations'
)
