-- has_schema: whether the database holds our own schema, or the beginnings of one.
SELECT to_regclass('reconciler.migrations') IS NOT NULL
