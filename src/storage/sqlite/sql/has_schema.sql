-- has_schema: whether the file holds our own schema, or the beginnings of one.
SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'reconciler_migrations')
